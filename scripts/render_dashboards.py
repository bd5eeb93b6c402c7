"""Writes deploy/grafana/dashboards from scripts/dashboards.py; a test compares them."""

import json
import sys
from itertools import count
from pathlib import Path

from dashboards import BOARDS, Board, Panel
from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as looks
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus as query
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard, prometheus

DASHBOARDS = Path(__file__).parent.parent / "deploy" / "grafana" / "dashboards"
TAG = "msil-mcp"
CHOSEN = 'job=~"$job",instance=~"$instance"'
SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS = {"number": 4, "states": 7, "table": 7, "bars": 7}
GREEN, AMBER, RED, BLUE = "green", "orange", "red", "#003D79"

AnyPanel = timeseries.Panel | stat.Panel | bargauge.Panel | statetimeline.Panel | table.Panel


def targets(panel: Panel) -> list[query.Dataquery]:
    """One query for each legend, lettered as Grafana does."""
    found = []
    for number, (legend, expression) in enumerate(panel.queries.items()):
        target = (
            query.Dataquery()
            .ref_id(chr(ord("A") + number))
            .datasource(SOURCE)
            .expr(expression.replace("$on", CHOSEN))
            .editor_mode(prometheus.QueryEditorMode.CODE)
        )
        if panel.kind == "table":
            found.append(target.instant().format(prometheus.PromQueryFormat.TABLE))
        elif panel.kind in {"number", "bars"}:
            found.append(target.instant().legend_format(legend))
        else:
            found.append(target.range().legend_format(legend))
    return found


def thresholds(panel: Panel) -> build.ThresholdsConfig:
    """Green, then amber and red from the limits on; the other way round when they fall."""
    limits: list[tuple[float | None, str]] = [(None, GREEN if panel.limits else BLUE)]
    if panel.fall:
        limits = [(None, RED), *zip(sorted(panel.limits), (AMBER, GREEN), strict=True)]
    elif panel.limits:
        limits += zip(panel.limits, (AMBER, RED), strict=True)
    steps = [dashboard.Threshold(value=value, color=color) for value, color in limits]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def lines(panel: Panel) -> timeseries.Panel:
    """A graph over time, stacked where the parts make a whole."""
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(25 if panel.kind == "stack" else 5)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(
            looks.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(
            looks.VizLegendOptions()
            .show_legend(len(panel.queries) > 1 or any("{{" in name for name in panel.queries))
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
    )
    if panel.kind == "stack":
        made.stacking(looks.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.log:
        made.scale_distribution(
            looks.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)
        )
    else:
        made.min(0)
    if panel.limits:
        dashed = common.GraphThresholdsStyleMode.DASHED
        made.thresholds_style(looks.GraphThresholdsStyleConfig().mode(dashed))
    return made


def states(_: Panel) -> statetimeline.Panel:
    """0 and 1 over time, in words."""
    return statetimeline.Panel().show_value(common.VisibilityMode.NEVER).row_height(0.8)


def drawn(panel: Panel) -> AnyPanel:
    """The panel as Grafana draws its kind."""
    last = looks.ReduceDataOptions().calcs(["lastNotNull"])
    match panel.kind:
        case "number":
            return stat.Panel().reduce_options(last).graph_mode(common.BigValueGraphMode.NONE)
        case "bars":
            horizontal = common.VizOrientation.HORIZONTAL
            return bargauge.Panel().reduce_options(last).orientation(horizontal).min(0)
        case "states":
            return states(panel)
        case "table":
            return table.Panel()
        case _:
            return lines(panel)


def mappings(panel: Panel) -> list[dashboard.ValueMapping]:
    """What 0 and 1 mean where a panel shows nothing else."""
    bad_is_one = "Breakers" in panel.title
    words = ("closed", "open") if bad_is_one else ("down", "up")
    colors = (GREEN, RED) if bad_is_one else (RED, GREEN)
    options = {
        str(value): dashboard.ValueMappingResult(text=words[value], color=colors[value])
        for value in (0, 1)
    }
    return [dashboard.ValueMap(options=options)]


def panel_of(panel: Panel, number: int) -> AnyPanel:
    """A complete panel; the dashboard finds its place."""
    made = (
        drawn(panel)
        .id(number)
        .title(panel.title)
        .description(panel.about)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(HEIGHTS.get(panel.kind, 8))
        .thresholds(thresholds(panel))
        .targets(targets(panel))
    )
    if panel.kind == "states":
        made.mappings(mappings(panel))
    if panel.kind in {"number", "bars"} and panel.limits:
        by_limit = build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)
        made.color_scheme(by_limit)
    if panel.kind == "table":
        time = dashboard.DynamicConfigValue(id_val="custom.hidden", value=True)
        made.override_by_name("Time", [time])
    return made


def chosen_values(name: str, metric: str, label: str) -> build.QueryVariable:
    """A choice of a label's values, all of them at first."""
    return (
        build.QueryVariable(name)
        .label(name)
        .datasource(SOURCE)
        .query({"query": f"label_values({metric}, {label})", "refId": name})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(text="All", value="$__all", selected=True))
    )


def board_of(board: Board) -> dashboard.Dashboard:
    """A whole dashboard."""
    source = build.DatasourceVariable("datasource").label("data source").type("prometheus")
    made = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags([TAG])
        .annotations([])
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(source)
        .with_variable(chosen_values("job", "mcp_server_info", "job"))
        .with_variable(chosen_values("instance", 'mcp_server_info{job=~"$job"}', "instance"))
        .link(
            build.DashboardLink("Dashboards")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for name, (metric, label) in (board.variables or {}).items():
        made.with_variable(chosen_values(name, f"{metric}{{{CHOSEN}}}", label))
    numbers = count(1)
    for row in board.rows:
        made.with_row(build.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made.with_panel(panel_of(panel, next(numbers)))
    return made.build()


def main(folder: Path) -> None:
    """Write every dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        text = json.dumps(board_of(board), cls=JSONEncoder, indent=2, sort_keys=True)
        (folder / f"{board.uid}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DASHBOARDS)
