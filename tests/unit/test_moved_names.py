"""CloudFormation cannot move a resource that has a fixed name: whoever has a lake must be told what to do.

It makes the copy in the nested stack before it removes the original, and two resources cannot have one name.
`root_of_last_release.txt` has what stood in the root of the last release, one type and name a line.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.template import NESTED, ROOT, load

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
[_, UPGRADING] = CHANGELOG.split("\n### Upgrading\n")
UPGRADING = UPGRADING.split("\n### ")[0]
RELEASED = set((Path(__file__).with_name("root_of_last_release.txt")).read_text().splitlines())
NAMED_BY = (
    "AlarmName BucketName DashboardName FunctionName LayerName LogGroupName Name NamespaceName QueueName RoleName "
    "TopicName WorkgroupName"
).split()
STACKS = {
    name: load(ROOT / one["Properties"]["TemplateURL"])
    for name, one in load()["Resources"].items()
    if one["Type"] == "AWS::CloudFormation::Stack"
}


def named(resources: dict[str, dict[str, Any]]) -> set[str]:
    """Type and name of each resource that has a fixed name, as in a lake with the default names."""
    found = set()
    for one in resources.values():
        properties = one.get("Properties", {})
        properties = properties | properties.get("TableInput", {}) | properties.get("DatabaseInput", {})
        for name in (properties[by] for by in NAMED_BY if by in properties):
            text = name.get("Sub") or "${" + name["Ref"] + "}" if isinstance(name, dict) else name
            text = text.replace("${LakeName}", "spotify-lake").replace("${DatabaseName}", "spotify_lake")
            found.add(f"{one['Type']} {text}")
    return found


MOVED = {
    f"{stack}: {one}" for stack, template in STACKS.items() for one in named(template["Resources"]) & RELEASED
}


def test_the_release_had_names():
    assert {"AWS::Glue::Table songs", "AWS::CloudWatch::Alarm spotify-lake-stale"} <= RELEASED


@pytest.mark.parametrize("moved", sorted(MOVED))
def test_whoever_has_a_lake_is_told_of_every_name_that_moved(moved):
    name = moved.rpartition(" ")[2]
    assert f"`{name}`" in UPGRADING, f"{moved} was in the root of the last release"
    assert moved.partition(":")[0] in UPGRADING, "the first deployment leaves the stack out"


def test_nothing_that_holds_data_moves():
    moved_types = {one.split(" ")[1] for one in MOVED}
    assert not moved_types & {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"}
    assert not moved_types & {"AWS::Glue::Database", "AWS::SNS::Topic"}


def test_the_first_deployment_leaves_out_what_moved_and_nothing_else(tmp_path):
    """The command is run as it stands in the changelog."""
    [command] = re.findall(r"^sed .*?(?=^make)", UPGRADING, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    subprocess.run(["/bin/sh", "-euc", command], cwd=tmp_path, check=True)
    trimmed, whole = load(tmp_path / "template.yaml"), load()
    left_out = whole["Resources"].keys() - trimmed["Resources"].keys()
    assert left_out == {f"{stack.capitalize()}Stack" for stack in NESTED}
    assert {one.partition(":")[0] for one in MOVED} == left_out
    for name in left_out:
        del whole["Resources"][name]
    assert trimmed == whole
