"""CloudFormation templates and the local AWS that they are deployed to."""
