"""What a change set would do, as people see it before they agree."""

import json

import pytest

from tools.change_set import NOTHING, ChangeSetError, main, markdown, prepared

ARN = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/samcli-deploy1/0a1b"


def change(
    action: str, name: str, kind: str, replacement: str | None = None, *causes: str
) -> dict[str, object]:
    found: dict[str, object] = {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Details": [{"Target": {"Attribute": "Properties", "Name": cause}} for cause in causes],
    }
    return found | ({"Replacement": replacement} if replacement else {})


def said(**answer: str) -> str:
    lines = [{"type": "warning", "message": "no authentication"}, {"type": "result", **answer}]
    return "sam says more\n" + "\n".join(map(json.dumps, lines)) + "\n"


def test_the_change_set_is_in_what_sam_printed():
    assert prepared(said(status="changeset_created", changeset_id=ARN)) == ARN


def test_no_changes_are_no_change_set():
    assert prepared(said(status="no_changes", message="No changes to deploy.")) is None


@pytest.mark.parametrize("answer", ["", "Error: no credentials\n", said(status="failed")])
def test_anything_else_is_a_failure(answer):
    with pytest.raises(ChangeSetError, match="did not say which change set"):
        prepared(answer)


def test_what_loses_data_comes_first_and_is_marked():
    shown = markdown(
        "spotify-lake",
        ARN,
        [
            change("Modify", "ExtractFunction", "AWS::Lambda::Function", "False", "Timeout", "Code", "Code"),
            change("Add", "Stale", "AWS::CloudWatch::Alarm"),
            change("Remove", "Old", "AWS::CloudWatch::Alarm"),
            change("Modify", "RawBucket", "AWS::S3::Bucket", "True", "BucketName"),
            change("Modify", "WorkGroup", "AWS::Athena::WorkGroup", "Conditional", "Name"),
        ],
    )
    lines = shown.splitlines()
    assert lines[0] == "### 5 changes to spotify-lake"
    assert lines[4:9] == [
        "| ⚠ | Modify (replaces it) | `RawBucket` | AWS::S3::Bucket | BucketName |",
        "|  | Add | `Stale` | AWS::CloudWatch::Alarm |  |",
        "|  | Modify | `ExtractFunction` | AWS::Lambda::Function | Code, Timeout |",
        "|  | Modify (may replace it) | `WorkGroup` | AWS::Athena::WorkGroup | Name |",
        "|  | Remove | `Old` | AWS::CloudWatch::Alarm |  |",
    ]
    assert "⚠ removes or may replace something that holds data." in shown
    assert f"`{ARN}`" in shown


def test_without_a_loss_nothing_warns():
    assert "⚠" not in markdown(
        "spotify-lake", ARN, [change("Modify", "RawBucket", "AWS::S3::Bucket", "False", "Tags")]
    )


def test_commands_without_aws(tmp_path, capsys):
    answer = tmp_path / "change-set.json"
    answer.write_text(said(status="no_changes", message="No changes to deploy."))
    assert main(["id", str(answer)]) == 0
    assert capsys.readouterr().out == "\n"
    assert main(["show", str(answer)]) == 0
    assert capsys.readouterr().out == NOTHING + "\n"
    assert main(["show", str(tmp_path / "missing.json")]) == 1
    assert "missing.json" in capsys.readouterr().err
