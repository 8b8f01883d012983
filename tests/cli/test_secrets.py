# SPDX-License-Identifier: Apache-2.0
"""A password in a setting, right or mistyped, is in nothing that any command prints."""

import pytest

SECRET = "marker-77c1"
SETTINGS = {
    "database": [f"postgresql://u:{SECRET}@127.0.0.1:1/x", f"mysql://u:{SECRET}@h/x",
                 f"postgresql://u:{SECRET}@[/x"],
    "db-replicas": [f"postgresql://u:{SECRET}@[:x"],
    "cache": [f"rediss://u:{SECRET}@127.0.0.1:1", f"redis://u:{SECRET}@h:x", f"memcached://{SECRET}"],
    "queue": [f"amqps://u:{SECRET}@127.0.0.1:1", f"amqp://u:{SECRET}@h:x", f"rabbit://{SECRET}"],
    "events": [f"kafka://u:{SECRET}@h:1/p"],
    "mail": [f"smtp://u:{SECRET}@h:1"],
    "mail-password": [SECRET],
    "s3-secret-key": [SECRET],
    "s3-endpoint": [f"http://u:{SECRET}@h:1"],
    "user-service": [f"http://u:{SECRET}@h:1"],
    "sync-service": [f"http://u:{SECRET}@h:1"],
    "api-keys": [f"{SECRET}:x"],
}
CASES = [(name, value) for name, values in SETTINGS.items() for value in values]
# What has a setting looked at and then ends by itself.
MORE = {"s3-endpoint": {"IMAGESYNC_BLOBS": "s3", "IMAGESYNC_S3_BUCKET": "bucket"},
        "s3-secret-key": {"IMAGESYNC_BLOBS": "s3"},
        "user-service": {"IMAGESYNC_SERVICES": "sync"},
        "mail-password": {"IMAGESYNC_MAIL": "nothing"}}


@pytest.mark.parametrize("name,value", CASES)
def test_it_is_not_printed(run, tmp_path, name, value):
    variable = "IMAGESYNC_" + name.upper().replace("-", "_")
    # A port that cannot be had, should all the rest be right.
    more = {"IMAGESYNC_LISTEN": "192.0.2.1:1", "IMAGESYNC_LOG_LEVEL": "debug",
            **MORE.get(name, {})}
    (tmp_path / "settings").write_text(f"{name} = {value}\nnothing {value}\n")
    for done in (run("config", extra_env={variable: value}),
                 run("serve", extra_env={variable: value, **more}),
                 run("serve", "--" + name, value, extra_env=more),
                 run("serve", f"--{name}s={value}", extra_env=more),
                 run("migrate", f"--{name}={value}"),
                 run("migrate", "up", f"--{name}={value}"),
                 run("config", extra_env={variable + "S": value}),
                 run("config", "--config", tmp_path / "settings")):
        assert done.out + done.err, done.args
        assert SECRET not in done.out + done.err


def test_an_address_is_shown_without_its_login(run):
    done = run("config", "--s3-endpoint", f"https://me:{SECRET}@store.example.org:8333")
    assert done.returncode == 0 and "https://(hidden)@store.example.org:8333 " in done.out
