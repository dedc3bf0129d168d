"""Names of Java's packages and classes are asked for once."""

from types import SimpleNamespace

from py4j import protocol
from py4j.java_gateway import JavaClass, JavaPackage

from infra.java import remember_names


class Jvm:
    """Answers as the JVM does: any name that is no class of its is a package."""

    def __init__(self) -> None:
        self.classes: set[str] = set()
        self.asked: list[str] = []
        self.converters = None
        self.gateway_property = SimpleNamespace(pool=None)

    def send_command(self, command: str) -> str:
        name = command.splitlines()[2]
        self.asked.append(name)
        return f"{protocol.SUCCESS_CLASS}{name}" if name in self.classes else protocol.SUCCESS_PACKAGE


def test_each_package_and_class_is_asked_for_once() -> None:
    remember_names()
    jvm = Jvm()
    jvm.classes.add("org.flink.Job")
    org = JavaPackage("org", jvm, "j")
    assert org.flink.Job is org.flink.Job
    assert jvm.asked == ["org.flink", "org.flink.Job"]


def test_a_class_is_found_whose_jar_comes_later() -> None:
    remember_names()
    jvm = Jvm()
    org = JavaPackage("org", jvm, "j")
    assert isinstance(org.Later, JavaPackage)
    jvm.classes.add("org.Later")
    assert isinstance(org.Later, JavaClass)
