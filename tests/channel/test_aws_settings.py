"""What AWS's own files and variables say about a bucket: its region, and a login that has run out."""

import json
from hashlib import sha1
from pathlib import Path

import pytest

from kachery_tui.channel.bucket import Bucket
from kachery_tui.channel.errors import BucketShut
from kachery_tui.channel.s3 import S3
from kachery_tui.config import BucketConfig

SSO = """
[profile sso]
sso_session = s
sso_account_id = 111122223333
sso_role_name = R
[sso-session s]
sso_start_url = https://example.test/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose AWS files know two profiles, and no variables of AWS."""
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".aws"
    cache = folder / "sso/cache"
    cache.mkdir(parents=True)
    (folder / "config").write_text(f"[profile lab]\nregion = eu-central-1\n{SSO}")
    (folder / "credentials").write_text("[lab]\naws_access_key_id = AKIA1\naws_secret_access_key = secret\n")
    login = {"startUrl": "https://example.test/start", "region": "eu-west-1", "accessToken": "x"}
    (cache / f"{sha1(b's').hexdigest()}.json").write_text(
        json.dumps({**login, "expiresAt": "2024-01-01T00:00:00Z"})
    )
    return tmp_path


def config(
    *, region: str | None = None, profile: str | None = "lab", endpoint: str | None = None
) -> BucketConfig:
    access_key, secret_key = (None, None) if profile else ("AKIA2", "secret")
    return BucketConfig(
        "my-lab", endpoint, region, access_key, secret_key, profile=profile, path_style=bool(endpoint)
    )


@pytest.mark.parametrize(
    ("bucket", "environment", "region"),
    [
        (config(), {}, "eu-central-1"),
        (config(region="eu-west-1"), {"AWS_REGION": "eu-north-1"}, "eu-west-1"),
        (config(), {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-south-1"}, "eu-north-1"),
        (config(), {"AWS_DEFAULT_REGION": "eu-south-1"}, "eu-south-1"),
        (config(profile=None), {}, "us-east-1"),
        (config(profile=None), {"AWS_REGION": "eu-north-1"}, "eu-north-1"),
        (config(profile=None, endpoint="http://127.0.0.1:9"), {"AWS_REGION": "eu-north-1"}, "us-east-1"),
        (config(endpoint="http://127.0.0.1:9"), {}, "eu-central-1"),
    ],
)
async def test_the_region_that_is_meant(
    bucket: BucketConfig, environment: dict[str, str], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3 = S3(bucket)
    for url in (await s3.sign_read("get_object", "lab/x"), await s3.sign_list("lab/", None, 10)):
        assert f"%2F{region}%2Fs3%2F" in url
    await s3.close()


async def test_a_profile_signs_a_list_as_keys_do() -> None:
    s3 = S3(config(endpoint="http://127.0.0.1:9"))
    url = await s3.sign_list("lab/sha1/", "a token", 50)
    for part in (
        "list-type=2",
        "encoding-type=url",
        "prefix=lab%2Fsha1%2F",
        "max-keys=50",
        "continuation-token=a%20token",
    ):
        assert part in url
    await s3.close()


async def test_a_login_that_has_run_out_is_named_with_what_to_do() -> None:
    bucket = Bucket(config(profile="sso"))
    with pytest.raises(BucketShut, match="the login of the AWS profile sso has run out") as caught:
        await bucket.head("lab/x")
    assert caught.value.do == "aws sso login --profile sso"
    await bucket.close()
