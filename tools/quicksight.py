"""Generate stacks/quicksight.yaml: the views as QuickSight data sets, and a dashboard that shows them.

The columns of a data set and their types come from the header of its view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from queries import Statement

STACK: Final = Path(__file__).parents[1] / "stacks" / "quicksight.yaml"

# Arrays and booleans are left out: QuickSight cannot read arrays from Athena, and the dashboard needs no booleans.
TYPES: Final = {
    "string": "STRING",
    "int": "INTEGER",
    "bigint": "INTEGER",
    "double": "DECIMAL",
    "date": "DATETIME",
    "timestamp": "DATETIME",
}
DATA_SETS: Final = {
    "latest_entries": "Current entries",
    "latest_songs": "Current songs",
    "daily_playlists": "Playlists by day",
    "playlist_changes": "Changes",
    "song_history": "Song history",
    "artist_trend_weekly": "Artists by week",
}
SHEET: Final = "playlists"

type Json = dict[str, Any]

_HEAD = """\
# Generated from queries/views by make schema: change tools/quicksight.py.
"""
_PERMISSIONS: Final = {
    "DataSource": """
        DescribeDataSource PassDataSource UpdateDataSource DeleteDataSource
        DescribeDataSourcePermissions UpdateDataSourcePermissions
    """,
    "DataSet": """
        DescribeDataSet PassDataSet UpdateDataSet DeleteDataSet DescribeDataSetPermissions UpdateDataSetPermissions
        DescribeIngestion ListIngestions CreateIngestion CancelIngestion
    """,
    "Analysis": """
        DescribeAnalysis QueryAnalysis RestoreAnalysis UpdateAnalysis DeleteAnalysis
        DescribeAnalysisPermissions UpdateAnalysisPermissions
    """,
    "Dashboard": """
        DescribeDashboard QueryDashboard UpdateDashboard DeleteDashboard
        DescribeDashboardPermissions UpdateDashboardPermissions
        ListDashboardVersions UpdateDashboardPublishedVersion
    """,
}


def stack(views: Mapping[str, Statement]) -> str:
    """Return stacks/quicksight.yaml.

    Parameters
    ----------
    views
        By name; those in DATA_SETS become data sets.
    """
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Spotify Lake in QuickSight: a data source on Athena, data sets on the views, a dashboard.",
        "Parameters": {
            name: {"Description": description, "Type": "String"}
            for name, description in (
                ("LakeName", "Prefix of the ids and names of all resources in this stack."),
                ("LakeBucketName", "Bucket that holds the tables."),
                ("DatabaseName", "Database of the tables and views in the Glue Data Catalog."),
                ("WorkGroupName", "Athena workgroup that runs the queries."),
                ("PrincipalArn", "QuickSight user or group that owns all resources in this stack."),
                ("KmsKeyArn", "KMS key that encrypts the tables; empty for keys managed by AWS."),
                ("PermissionsBoundaryArn", "Permissions boundary of the role; empty for none."),
            )
        },
        "Conditions": {
            "HasKmsKey": {"Fn::Not": [{"Fn::Equals": [_ref("KmsKeyArn"), ""]}]},
            "HasBoundary": {"Fn::Not": [{"Fn::Equals": [_ref("PermissionsBoundaryArn"), ""]}]},
        },
        "Resources": {
            "Role": _role(),
            "DataSource": _resource(
                "DataSource",
                "",
                "Spotify Lake",
                Type="ATHENA",
                DataSourceParameters={
                    "AthenaParameters": {"WorkGroup": _ref("WorkGroupName"), "RoleArn": _arn("Role")}
                },
            ),
            **{_data_set_id(name): _data_set(views[name]) for name in DATA_SETS},
            "Analysis": _resource("Analysis", "", "Spotify Lake", Definition=_definition()),
            "Dashboard": _resource(
                "Dashboard",
                "",
                "Spotify Lake",
                Definition=_definition(),
                DashboardPublishOptions={"AdHocFilteringOption": {"AvailabilityStatus": "ENABLED"}},
            ),
        },
        "Outputs": {
            "DashboardUrl": {
                "Description": "The dashboard.",
                "Value": _sub("https://${AWS::Region}.quicksight.aws.amazon.com/sn/dashboards/${LakeName}"),
            }
        },
    }
    return _HEAD + yaml.dump(template, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Writes equal parts in full: CloudFormation cannot read aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's own name
        return True


def _if(condition: str, value: Any) -> Json:
    return {"Fn::If": [condition, value, _ref("AWS::NoValue")]}


def _ref(name: str) -> Json:
    return {"Ref": name}


def _sub(text: str) -> Json:
    return {"Fn::Sub": text}


def _arn(name: str) -> Json:
    return {"Fn::GetAtt": [name, "Arn"]}


def _actions(service: str, names: str) -> list[str]:
    return [f"{service}:{name}" for name in names.split()]


def _data_set_id(view: str) -> str:
    return "".join(part.capitalize() for part in view.split("_"))


def _resource(kind: str, suffix: str, name: str, **properties: Any) -> Json:
    permissions = {
        "Principal": _ref("PrincipalArn"),
        "Actions": _actions("quicksight", _PERMISSIONS[kind]),
    }
    return {
        "Type": f"AWS::QuickSight::{kind}",
        "Properties": {
            "AwsAccountId": _ref("AWS::AccountId"),
            f"{kind}Id": _sub(f"${{LakeName}}{suffix}"),
            "Name": name,
            "Permissions": [permissions],
            **properties,
        },
    }


def _role() -> Json:
    """Return the role with which QuickSight queries Athena. It reads this lake and nothing else in the account."""
    bucket = "arn:${AWS::Partition}:s3:::${LakeBucketName}"
    glue, athena = (
        f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:"
        for service in ("glue", "athena")
    )
    statements = (
        (
            "AskAthena",
            "athena",
            """
            StartQueryExecution GetQueryExecution BatchGetQueryExecution GetQueryResults GetQueryResultsStream
            StopQueryExecution GetWorkGroup
            """,
            [athena + "workgroup/${WorkGroupName}"],
        ),
        (
            "ReadCatalog",
            "glue",
            "GetDatabase GetDatabases GetTable GetTables GetPartition GetPartitions",
            [glue + part for part in ("catalog", "database/${DatabaseName}", "table/${DatabaseName}/*")],
        ),
        ("ReadTables", "s3", "GetObject", [bucket + "/curated/*"]),
        (
            "KeepAnswers",
            "s3",
            "GetObject PutObject AbortMultipartUpload ListMultipartUploadParts",
            [bucket + "/athena-results/*"],
        ),
        ("FindTables", "s3", "ListBucket ListBucketMultipartUploads GetBucketLocation", [bucket]),
    )
    use_key = {
        "Sid": "UseKey",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": _ref("KmsKeyArn"),
        "Condition": {"StringEquals": {"kms:ViaService": _sub("s3.${AWS::Region}.${AWS::URLSuffix}")}},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "Lets QuickSight read the tables of Spotify Lake through Athena.",
            "PermissionsBoundary": _if("HasBoundary", _ref("PermissionsBoundaryArn")),
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "quicksight.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            "Policies": [
                {
                    "PolicyName": "quicksight",
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Sid": sid,
                                "Effect": "Allow",
                                "Action": _actions(service, actions),
                                "Resource": [_sub(resource) for resource in resources],
                            }
                            for sid, service, actions, resources in statements
                        ]
                        + [_if("HasKmsKey", use_key)],
                    },
                }
            ],
        },
    }


def _data_set(view: Statement) -> Json:
    columns = [{"Name": name, "Type": TYPES[kind]} for name, kind in view.types.items() if kind in TYPES]
    table = {
        "DataSourceArn": _arn("DataSource"),
        "Catalog": "AwsDataCatalog",
        "Schema": _ref("DatabaseName"),
        "Name": view.name,
        "InputColumns": columns,
    }
    return _resource(
        "DataSet",
        f"-{view.name}",
        DATA_SETS[view.name],
        ImportMode="DIRECT_QUERY",
        PhysicalTableMap={"view": {"RelationalTable": table}},
    )


def _definition() -> Json:
    """Return the definition that the analysis and the dashboard share."""
    visuals = (
        _line(
            "artists", "Average entries per day by artist, week by week",
            _day("artist_trend_weekly", "week", "WEEK"),
            _number("artist_trend_weekly", "appearances_per_day", "SUM"),
            _text("artist_trend_weekly", "artist"),
        ),
        _bar(
            "changes", "Entries added, removed and moved, day by day", "VERTICAL",
            _day("playlist_changes", "snapshot_date", "DAY"),
            _count("playlist_changes", "uri"),
            _text("playlist_changes", "change"),
        ),
        _bar(
            "longest", "Songs with the most days in the playlists", "HORIZONTAL",
            _text("song_history", "name"),
            _number("song_history", "days_in_list", "MAX"),
        ),
        _line(
            "sizes", "Playlist size, day by day",
            _day("daily_playlists", "snapshot_date", "DAY"),
            _number("daily_playlists", "entry_count", "MAX"),
            _text("daily_playlists", "playlist"),
        ),
        _table("now", "latest_entries", "Current entries", ("playlist", "position", "name", "added_at")),
    )  # fmt: skip
    recent = (
        ("changes", "playlist_changes", "snapshot_date", 35),
        ("changes", "playlist_changes", "previous_date", 70),
        ("sizes", "daily_playlists", "snapshot_date", 365),
    )
    return {
        "DataSetIdentifierDeclarations": [
            {"Identifier": view, "DataSetArn": _arn(_data_set_id(view))} for view in DATA_SETS
        ],
        "FilterGroups": [
            _playlist_filter(),
            # Views without a bound of their own would otherwise read every day.
            *(_recent_filter(*filtered) for filtered in recent),
        ],
        "Sheets": [
            {
                "SheetId": SHEET,
                "Name": "Playlists",
                "FilterControls": [
                    {
                        "Dropdown": {
                            "FilterControlId": "playlist-control",
                            "SourceFilterId": "playlist",
                            "Title": "Playlist",
                            "Type": "MULTI_SELECT",
                        }
                    }
                ],
                "Visuals": list(visuals),
                "Layouts": [{"Configuration": {"GridLayout": {"Elements": _grid(visuals)}}}],
            }
        ],
    }


def _grid(visuals: Iterable[Json]) -> list[Json]:
    """Place two visuals side by side, and the table across the full width."""
    ids = [next(iter(visual.values()))["VisualId"] for visual in visuals]
    return [
        {
            "ElementId": visual,
            "ElementType": "VISUAL",
            "ColumnSpan": 36 if visual == "now" else 18,
            "RowSpan": 12,
        }
        for visual in ids
    ]


def _playlist_filter() -> Json:
    """Let the reader choose playlists; the choice applies to all data sets."""
    chosen = {
        "FilterId": "playlist",
        "Column": _column("latest_entries", "playlist"),
        "Configuration": {
            "FilterListConfiguration": {"MatchOperator": "CONTAINS", "SelectAllOptions": "FILTER_ALL_VALUES"}
        },
    }
    return _filter_group("playlist", {"CategoryFilter": chosen}, "ALL_DATASETS", None)


def _recent_filter(visual: str, view: str, column: str, days: int) -> Json:
    filtered = {
        "FilterId": f"{visual}-{column}",
        "Column": _column(view, column),
        "AnchorDateConfiguration": {"AnchorOption": "NOW"},
        "RelativeDateType": "LAST",
        "RelativeDateValue": days,
        "TimeGranularity": "DAY",
        "MinimumGranularity": "DAY",
        "NullOption": "NON_NULLS_ONLY",
    }
    return _filter_group(f"{visual}-{column}", {"RelativeDatesFilter": filtered}, "SINGLE_DATASET", visual)


def _filter_group(name: str, content: Json, data_sets: str, visual: str | None) -> Json:
    scope: Json = {"SheetId": SHEET, "Scope": "SELECTED_VISUALS" if visual else "ALL_VISUALS"}
    if visual:
        scope["VisualIds"] = [visual]
    return {
        "FilterGroupId": f"{name}-group",
        "Filters": [content],
        "ScopeConfiguration": {"SelectedSheets": {"SheetVisualScopingConfigurations": [scope]}},
        "CrossDataset": data_sets,
        "Status": "ENABLED",
    }


def _column(view: str, name: str) -> Json:
    return {"DataSetIdentifier": view, "ColumnName": name}


def _field(view: str, name: str) -> Json:
    return {"FieldId": f"{view}.{name}", "Column": _column(view, name)}


def _day(view: str, name: str, granularity: str) -> Json:
    return {"DateDimensionField": {**_field(view, name), "DateGranularity": granularity}}


def _text(view: str, name: str) -> Json:
    return {"CategoricalDimensionField": _field(view, name)}


def _number(view: str, name: str, how: str) -> Json:
    return {
        "NumericalMeasureField": {
            **_field(view, name),
            "AggregationFunction": {"SimpleNumericalAggregation": how},
        }
    }


def _count(view: str, name: str) -> Json:
    return {"CategoricalMeasureField": {**_field(view, name), "AggregationFunction": "COUNT"}}


def _title(text: str) -> Json:
    return {"Visibility": "VISIBLE", "FormatText": {"PlainText": text}}


def _line(visual: str, title: str, category: Json, value: Json, color: Json) -> Json:
    wells = {"Category": [category], "Values": [value], "Colors": [color]}
    return {
        "LineChartVisual": {
            "VisualId": visual,
            "Title": _title(title),
            "VisualContentAltText": title,
            "ChartConfiguration": {
                "FieldWells": {"LineChartAggregatedFieldWells": wells},
                "SortConfiguration": {
                    "ColorItemsLimitConfiguration": {"ItemsLimit": 10, "OtherCategories": "EXCLUDE"}
                },
            },
        }
    }


def _bar(
    visual: str, title: str, orientation: str, category: Json, value: Json, color: Json | None = None
) -> Json:
    wells = {"Category": [category], "Values": [value], **({"Colors": [color]} if color else {})}
    configuration: Json = {
        "FieldWells": {"BarChartAggregatedFieldWells": wells},
        "Orientation": orientation,
        "BarsArrangement": "STACKED" if color else "CLUSTERED",
    }
    if not color:
        (field,) = value.values()
        configuration["SortConfiguration"] = {
            "CategorySort": [{"FieldSort": {"FieldId": field["FieldId"], "Direction": "DESC"}}],
            "CategoryItemsLimit": {"ItemsLimit": 15, "OtherCategories": "EXCLUDE"},
        }
    return {
        "BarChartVisual": {
            "VisualId": visual,
            "Title": _title(title),
            "VisualContentAltText": title,
            "ChartConfiguration": configuration,
        }
    }


def _table(visual: str, view: str, title: str, columns: Iterable[str]) -> Json:
    wells = {"TableUnaggregatedFieldWells": {"Values": [_field(view, column) for column in columns]}}
    return {
        "TableVisual": {
            "VisualId": visual,
            "Title": _title(title),
            "VisualContentAltText": title,
            "ChartConfiguration": {"FieldWells": wells},
        }
    }
