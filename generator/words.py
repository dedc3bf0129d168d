"""Word lists for methods that Faker does not have."""


def _list(words: str) -> list[str]:
    return words.split()


PRODUCT_ADJECTIVES = _list("Sturdy Quiet Plain Bright Folding Handmade Narrow Practical Recycled Warm")
PRODUCT_MATERIALS = _list("Bamboo Brass Cork Cotton Glass Granite Leather Linen Oak Rubber Steel Wool")
PRODUCTS = _list("Basket Bench Blanket Bottle Chair Desk Gloves Kettle Lamp Mug Shelf Umbrella")
DEPARTMENTS = _list("Automotive Baby Books Clothing Electronics Garden Grocery Health Home Music Toys")

JOB_LEVELS = _list("Assistant Chief Deputy Junior Lead Regional Senior")
JOB_AREAS = _list("Accounts Design Logistics Marketing Operations Quality Research Security Support")
JOB_TYPES = _list("Analyst Architect Coordinator Engineer Manager Officer Planner Specialist")

HACKER_NOUNS = _list("array bandwidth bus card driver feed interface matrix monitor port protocol sensor")
HACKER_VERBS = _list("bypass compress connect copy generate index navigate parse program reboot")
HACKER_INGVERBS = _list("bypassing compressing connecting copying indexing navigating parsing rebooting")
HACKER_ADJECTIVES = _list("auxiliary cross-platform digital haptic multi-byte neural optical redundant")
HACKER_ABBREVIATIONS = _list("AI API CSS DNS FTP GB HDD HTTP JSON RAM SMTP SQL SSD TCP USB XML")

CITY_PREFIXES = _list("East Lake New North Port South West")
COUNTIES = _list("Cornwall Devon Dorset Essex Kent Norfolk Rutland Suffolk Surrey Sussex")
COMPANY_SUFFIXES = ["Inc", "and Sons", "LLC", "Group"]
TRANSACTION_TYPES = _list("deposit invoice payment withdrawal")
ACCOUNT_NAMES = ["Auto Loan Account", "Checking Account", "Credit Card Account", "Savings Account"]
PHONE_FORMATS = ["###-###-####", "(###) ###-####", "1-###-###-####", "###.###.####"]
IMAGE_CATEGORIES = _list(
    "abstract animals business cats city food nightlife fashion people nature sports technics transport"
)
