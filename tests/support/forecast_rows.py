"""Forecasts and scores as the forecast job writes them, for charts that were made up: what they say is plain to see."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.support import charted

HORIZONS = range(1, 8)
GROWTH = 0.02  # a day
WIDTH = 0.1  # of an interval on each side, after a week
FOREST, SEASONAL = "random forest", "seasonal naive"


def rows(
    standings: Iterable[charted.Standing],
    made: dt.date,
    *,
    chart: str = "top200",
    method: str = FOREST,
    margin: tuple[float, float, float] = (0.45, 0.4, 0.5),
    regions: Iterable[str] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Return rows of chart_forecasts and model_scores for the songs of a chart on a day.

    Each song grows by 2 % of today's streams a day, so ranks stay; the interval of a rank has the neighbours.
    """
    today: Mapping[str, list[charted.Standing]] = defaultdict(list)
    for one in standings:
        if one.day == made and one.chart == chart and (regions is None or one.region in regions):
            today[one.region].append(one)
    forecasts = [
        {
            "made_key": charted.date_key(made),
            "date_key": charted.date_key(made + dt.timedelta(days=horizon)),
            "horizon": horizon,
            "region_key": charted.region_key(region),
            "track_key": one.track.key,
            "method": method,
            "streams": round(streams * (1 + GROWTH * horizon)),
            "streams_low": round(streams * (1 + GROWTH * horizon) * (1 - WIDTH * horizon / 7)),
            "streams_high": round(streams * (1 + GROWTH * horizon) * (1 + WIDTH * horizon / 7)),
            "rank": one.rank,
            "rank_best": max(1, one.rank - 1),
            "rank_worst": min(len(listed), one.rank + 1),
            "chart": chart,
        }
        for region, listed in today.items()
        for one in listed
        for streams in [one.streams or 0]
        for horizon in HORIZONS
    ]
    return {"chart_forecasts": forecasts, "model_scores": scores(chart, made, method, margin)}


def scores(
    chart: str, made: dt.date, method: str = FOREST, margin: tuple[float, float, float] = (0.45, 0.4, 0.5)
) -> list[dict[str, Any]]:
    """Return the rows of model_scores of a chart; the scaled error of the best simple method is 0.75."""
    common = {"data": f"{chart} to {made}", "split": "28 rolling origins", "job": "forecast"}
    found = []
    for model, ratio in ((FOREST, 1 - margin[0] / 0.75), (SEASONAL, 1.0), ("naive", 1.6)):
        for horizon in (None, *HORIZONS):
            best = 0.05 + 0.01 * (horizon or 4)
            for metric, scale in (("log_mae", 1.0), ("mase", 0.75 / 0.09)):
                found.append(
                    common
                    | {"model": model, "horizon": horizon, "metric": metric, "baseline": SEASONAL}
                    | {"value": round(best * ratio * scale, 6), "baseline_value": round(best * scale, 6)}
                )
    found += [
        common
        | {"model": FOREST, "horizon": None, "metric": metric, "value": value, "baseline": SEASONAL}
        | {"baseline_value": 0.0}
        for metric, value in zip(("margin", "margin_low", "margin_high"), margin, strict=True)
    ]
    found += [
        common
        | {"model": method, "horizon": horizon, "metric": "coverage", "value": 0.79, "baseline": "nominal"}
        | {"baseline_value": 0.8}
        for horizon in (None, *HORIZONS)
    ]
    genres = {"model": "genre shares", "data": f"{chart} 202001 to 202112", "split": "all", "horizon": None}
    return [*found, genres | {"metric": "coverage", "value": 0.5, "job": "forecast"}]
