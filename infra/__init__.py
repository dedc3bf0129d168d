"""CloudFormation stacks, the local AWS, the local Flink cluster, packaging, and the managed service."""
