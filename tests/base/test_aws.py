"""The one value that says which AWS is meant."""

import pytest

from base.aws import LOCAL_CREDENTIALS, Aws


def test_a_local_aws_never_gets_the_user_s_credentials_nor_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")
    client = Aws.local("http://127.0.0.1:1").client("s3")
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key) == LOCAL_CREDENTIALS
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:1", "us-east-1")
    assert client.meta.config.proxies == {}


def test_the_real_aws_has_the_environment_s_region_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert Aws.real() == Aws("eu-west-1")
    assert Aws.real().client("kinesis").meta.endpoint_url == "https://kinesis.eu-west-1.amazonaws.com"
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ValueError, match="region must be set, got none: set AWS_DEFAULT_REGION"):
        Aws.real()
