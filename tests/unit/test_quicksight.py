"""stacks/quicksight.yaml names only what the views have, and grants only what the lake's readers need."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from queries import views
from tests.support.template import ROOT, load
from tools import quicksight

STACK = yaml.safe_load(quicksight.STACK.read_text())
RESOURCES: dict[str, dict[str, Any]] = STACK["Resources"]
VIEWS = views()
SHOWN = ("Analysis", "Dashboard")


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in RESOURCES.items()
        if resource["Type"] == f"AWS::QuickSight::{kind}"
    }


def relational(data_set: dict[str, Any]) -> dict[str, Any]:
    (table,) = data_set["PhysicalTableMap"].values()
    found: dict[str, Any] = table["RelationalTable"]
    return found


def columns_named(value: Any) -> Iterator[tuple[str, str]]:
    """Every place in a definition that names a column of a data set."""
    if isinstance(value, dict):
        if "ColumnName" in value:
            yield value["DataSetIdentifier"], value["ColumnName"]
        for part in value.values():
            yield from columns_named(part)
    elif isinstance(value, list):
        for part in value:
            yield from columns_named(part)


@pytest.mark.parametrize("name", of_type("DataSet"))
def test_a_data_set_has_the_columns_of_its_view(name: str) -> None:
    table = relational(of_type("DataSet")[name])
    types = VIEWS[table["Name"]].types
    kinds = {column["Name"]: column["Type"] for column in table["InputColumns"]}
    assert kinds.keys() <= types.keys()
    assert {types[column] for column in types.keys() - kinds.keys()} <= {"array<string>", "boolean"}
    for column, kind in kinds.items():
        assert quicksight.TYPES[types[column]] == kind
    assert table["Schema"] == {"Ref": "DatabaseName"}
    assert table["DataSourceArn"] == {"Fn::GetAtt": ["DataSource", "Arn"]}


@pytest.mark.parametrize("shown", SHOWN)
def test_what_is_shown_names_only_columns_of_its_data_sets(shown: str) -> None:
    definition = RESOURCES[shown]["Properties"]["Definition"]
    sets = {relational(one)["Name"]: one for one in of_type("DataSet").values()}
    assert {one["Identifier"] for one in definition["DataSetIdentifierDeclarations"]} == set(sets)
    for one in definition["DataSetIdentifierDeclarations"]:
        logical_id, attribute = one["DataSetArn"]["Fn::GetAtt"]
        assert attribute == "Arn"
        assert relational(of_type("DataSet")[logical_id])["Name"] == one["Identifier"]
    named = list(columns_named(definition))
    assert len(named) >= 15
    for data_set, column in named:
        assert column in {one["Name"] for one in relational(sets[data_set])["InputColumns"]}, (
            data_set,
            column,
        )


@pytest.mark.parametrize("shown", SHOWN)
def test_the_parts_of_a_sheet_fit_together(shown: str) -> None:
    definition = RESOURCES[shown]["Properties"]["Definition"]
    (sheet,) = definition["Sheets"]
    visuals = [next(iter(visual.values())) for visual in sheet["Visuals"]]
    ids = [visual["VisualId"] for visual in visuals]
    assert len(set(ids)) == len(ids) == 5
    assert all(visual["VisualContentAltText"] for visual in visuals)
    (layout,) = sheet["Layouts"]
    assert [one["ElementId"] for one in layout["Configuration"]["GridLayout"]["Elements"]] == ids
    filters = {}
    for group in definition["FilterGroups"]:
        (content,) = group["Filters"]
        (one,) = content.values()
        filters[one["FilterId"]] = group
        (scope,) = group["ScopeConfiguration"]["SelectedSheets"]["SheetVisualScopingConfigurations"]
        assert scope["SheetId"] == sheet["SheetId"]
        assert set(scope.get("VisualIds", [])) <= set(ids)
    assert {control["Dropdown"]["SourceFilterId"] for control in sheet["FilterControls"]} <= set(filters)
    # A choice of playlists applies to every data set that is shown, by the column's name.
    assert filters["playlist"]["CrossDataset"] == "ALL_DATASETS"
    assert all("playlist" in VIEWS[relational(one)["Name"]].types for one in of_type("DataSet").values())
    for visual in visuals:
        fields = [field for field in _field_ids(visual) if "." in field]
        assert len(set(fields)) == len(fields) - (
            visual["VisualId"] == "longest"
        )  # named once more to sort by


def _field_ids(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "FieldId" in value:
            yield value["FieldId"]
        for part in value.values():
            yield from _field_ids(part)
    elif isinstance(value, list):
        for part in value:
            yield from _field_ids(part)


def test_views_without_a_bound_of_their_own_are_asked_for_recent_days_only() -> None:
    filtered = {
        (found["Column"]["DataSetIdentifier"], found["Column"]["ColumnName"])
        for group in RESOURCES["Dashboard"]["Properties"]["Definition"]["FilterGroups"]
        for content in group["Filters"]
        for kind, found in content.items()
        if kind == "RelativeDatesFilter"
    }
    assert filtered == {
        ("playlist_changes", "snapshot_date"),
        ("playlist_changes", "previous_date"),
        ("daily_playlists", "snapshot_date"),
    }


def test_the_role_reads_this_lake_and_nothing_else() -> None:
    role = RESOURCES["Role"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "quicksight.amazonaws.com"}
    (policy,) = role["Policies"]
    *always, with_key = policy["PolicyDocument"]["Statement"]
    condition, use_key, _without = with_key["Fn::If"]
    assert (condition, use_key["Resource"]) == ("HasKmsKey", {"Ref": "KmsKeyArn"})
    assert list(use_key["Condition"]["StringEquals"]) == ["kms:ViaService"]
    for statement in always:
        assert not any("*" in action or "Delete" in action for action in statement["Action"])
        for resource in statement["Resource"]:
            text = resource["Fn::Sub"]
            assert any(
                f"${{{name}}}" in text for name in ("LakeBucketName", "DatabaseName", "WorkGroupName")
            ) or text.endswith((":catalog", ":database/default"))
        if "s3:PutObject" in statement["Action"]:
            assert [one["Fn::Sub"].rpartition("}")[2] for one in statement["Resource"]] == [
                "/athena-results/*"
            ]


def test_it_is_off_until_somebody_is_named() -> None:
    template = load()
    nested = template["Resources"]["QuickSightStack"]
    assert nested["Condition"] == "HasQuickSight"
    assert template["Parameters"]["QuickSightPrincipal"]["Default"] == ""
    assert nested["Properties"]["TemplateURL"] == str(quicksight.STACK.relative_to(ROOT))
    assert nested["Properties"]["Parameters"].keys() == STACK["Parameters"].keys()


def test_columns_and_dashboard_are_completed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = yaml.safe_load(quicksight.STACK.read_text())
    relational(damaged["Resources"]["LatestSongs"]["Properties"])["InputColumns"] = []
    damaged["Resources"]["Dashboard"]["Properties"]["Definition"] = {}
    copy = tmp_path / "quicksight.yaml"
    copy.write_text(yaml.dump(damaged, sort_keys=False))
    right = quicksight.STACK.read_text()
    monkeypatch.setattr(quicksight, "STACK", copy)
    assert quicksight.stack(VIEWS) == right


def test_the_generated_text_has_no_aliases() -> None:
    """CloudFormation does not read YAML's anchors."""
    tokens = list(yaml.scan(quicksight.STACK.read_text()))
    assert not [token for token in tokens if isinstance(token, yaml.AnchorToken | yaml.AliasToken)]
