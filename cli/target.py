"""Which AWS a command calls: the running local AWS, a given endpoint, or the real AWS."""

from typing import Annotated

import typer

from base.aws import Aws
from infra import local
from pipeline.groups import without_user


def _address(url: str | None) -> str | None:
    try:
        return without_user(url) if url else url
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Endpoint = Annotated[
    str | None,
    typer.Option(help="URL of an AWS endpoint. Default: the running local AWS.", callback=_address),
]
RealAws = Annotated[
    bool, typer.Option("--aws", help="The real AWS, with the default chain of credentials and region.")
]


def choose(endpoint: str | None, aws: bool) -> Aws:
    """The AWS that clients call.

    Raises
    ------
    typer.BadParameter
        Both were given, or neither and no local AWS runs; or the real AWS, and no region is set.
    """
    try:
        address = choose_address(endpoint, aws)
        return Aws.local(address) if address else Aws.real()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def choose_address(endpoint: str | None, aws: bool) -> str | None:
    """The address for a job, whose settings name the region; None: the real AWS. Raises as :func:`choose`."""
    if aws and endpoint:
        raise typer.BadParameter("give either --endpoint or --aws, not both")
    if aws:
        return None
    found = endpoint or local.find(local.DATA)
    if found is None:
        raise typer.BadParameter(
            "no local AWS runs: start it with `kda local up`, or give --endpoint or --aws"
        )
    return found
