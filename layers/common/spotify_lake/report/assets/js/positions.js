// Positions over time: the line chart with number one at the top, and the choice of songs in it.

const LINES = 10; // number of lines at first
const TOP = 4; // the top positions always have a line at first
const MOST_PICKED = 20;
const COLORS = 10; // in the style sheet; further lines reuse them dashed

// --- The chart ---

const fit = (ctx, text, width) => {
  let length = text.length;
  while (length > 4 && ctx.measureText(truncate(text, length)).width > width) length--;
  return truncate(text, length);
};
/** Label the ends of lines with song names, moved apart where they would overlap. */
const endLabels = {
  id: "endLabels",
  afterDatasetsDraw(chart) {
    if (narrow.matches) return;
    const { ctx, chartArea } = chart;
    const height = 15;
    const labels = chart.data.datasets
      .flatMap((dataset, number) => {
        const point = chart.getDatasetMeta(number).data.at(-1);
        const value = dataset.data.at(-1);
        return dataset.atEnd && value && value.y !== null ? [{ y: point.y, wanted: point.y, dataset, number }] : [];
      })
      .sort((a, b) => a.y - b.y);
    labels.forEach((label, number) => {
      if (number) label.y = Math.max(label.y, labels[number - 1].y + height);
    });
    let floor = chartArea.bottom + 6;
    for (const label of labels.toReversed()) {
      label.y = Math.min(label.y, floor);
      floor = label.y - height;
    }
    ctx.save();
    ctx.textBaseline = "middle";
    for (const { y, wanted, dataset, number } of labels) {
      const dimmed = chart.focused !== undefined && chart.focused !== number;
      ctx.globalAlpha = dimmed ? 0.25 : 1;
      ctx.strokeStyle = ctx.fillStyle = dataset.ownColor;
      ctx.lineWidth = 1;
      ctx.beginPath();
      ctx.moveTo(chartArea.right + 6, wanted);
      ctx.lineTo(chartArea.right + 14, y);
      ctx.stroke();
      ctx.font = `${chart.focused === number ? 650 : 500} 12px ${Chart.defaults.font.family}`;
      ctx.fillText(
        fit(ctx, `${dataset.data.at(-1).y}  ${dataset.label}`, chart.width - chartArea.right - 20),
        chartArea.right + 18,
        y,
      );
    }
    ctx.restore();
  },
};
/** Highlight one line, or none when `number` is undefined. */
const emphasize = (chart, number) => {
  if (chart.focused === number) return;
  chart.focused = number;
  chart.data.datasets.forEach((dataset, other) => {
    dataset.borderColor = number === undefined || other === number ? dataset.ownColor : faint(dataset.ownColor, 0.16);
    dataset.borderWidth = other === number ? 3.5 : 2.2;
  });
  chart.update("none");
};
const endEmphasis = {
  id: "endEmphasis",
  afterEvent: (chart, { event }) => {
    if (event.type === "mouseout") emphasize(chart, undefined);
  },
};

/**
 * Build the chart. Lines are {name, by, number, points, goesOn}: `by` is the second line of the tooltip, the number
 * determines the color, and a line that goes on has its name at the end.
 */
const positionsOptions = (lines, first, last) => {
  const lowest = Math.max(2, ...lines.flatMap((line) => line.points.map((point) => point.y || 0)));
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000].find((choice) => lowest / choice <= 9) || 5000;
  const ticks = [
    1,
    ...Array.from({ length: Math.floor(lowest / step) }, (_, n) => (n + 1) * step).filter((n) => n > 1),
  ];
  /** Mark the ends of a line, including those at gaps. */
  const radius = (points, at) => {
    if (!points[at]?.y) return 0;
    const before = points[at - 1]?.y;
    const after = points[at + 1]?.y;
    if (at === points.length - 1 || (!before && !after)) return 3.5;
    return before && after ? 0 : 2.5;
  };
  return {
    type: "line",
    data: {
      datasets: lines.map(({ name, by, points, number, goesOn }) => ({
        label: name,
        by,
        data: points,
        ownColor: color(number),
        borderColor: color(number),
        backgroundColor: color(number),
        borderWidth: 2.2,
        cubicInterpolationMode: "monotone",
        borderJoinStyle: "round",
        borderDash: number >= COLORS ? [6, 3] : [],
        spanGaps: false,
        atEnd: goesOn,
        clip: 8,
        pointRadius: (context) => radius(points, context.dataIndex),
        pointHoverRadius: 5,
        pointBorderWidth: 0,
      })),
    },
    options: {
      layout: { padding: { right: narrow.matches ? 8 : 190, top: 8, left: 2 } },
      interaction: { mode: "nearest", intersect: false, axis: "xy" },
      onHover: (_event, found, chart) => emphasize(chart, found[0]?.datasetIndex),
      scales: {
        x: timeAxis(first, last),
        y: {
          reverse: true,
          min: 1,
          max: lowest,
          border: { display: false },
          afterBuildTicks: (axis) => {
            axis.ticks = ticks.map((value) => ({ value }));
          },
          ticks: { autoSkip: false },
        },
      },
      plugins: {
        tooltip: {
          displayColors: false,
          callbacks: {
            title: ([item]) => longDate(item.parsed.x),
            label: (item) => [
              `${item.parsed.y}.  ${truncate(item.dataset.label, 48)}`,
              truncate(item.dataset.by, 52),
            ],
          },
        },
      },
    },
    plugins: [endLabels, endEmphasis],
  };
};

// --- The card ---

/**
 * Buttons for the period of a chart that begins on day `first` and ends on day `last`. The choice is in the address, as
 * `days`. `onChange` draws the chart again.
 */
const periodButtons = (first, last, onChange) => {
  const span = last - first;
  const ranges = [
    { name: "30 days", key: "30", days: 30 },
    { name: "90 days", key: "90", days: 90 },
    { name: "1 year", key: "365", days: 365 },
  ].filter(({ days }) => span > days);
  ranges.push({ name: "All", key: "all", days: span + 1 });
  const usual = ranges[Math.max(0, Math.min(1, ranges.length - 2))];
  let range = ranges.find(({ key }) => key === getChoice("days")) ?? usual;
  const choose = (other) => {
    range = other;
    buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(ranges[number] === range)));
    setChoice("days", range === usual ? null : range.key, { step: true });
    onChange();
  };
  const buttons = ranges.map((one) =>
    el("button", { type: "button", "aria-pressed": String(one === range), onclick: () => choose(one) }, one.name),
  );
  return {
    segments: ranges.length > 1 && el("div", { class: "segments", role: "group", "aria-label": "Period" }, buttons),
    from: () => last - range.days + 1,
  };
};
/** The position of an entry in a sample of its playlist; 0 if it was not there. */
const positionAt = (entry, number) => entry.positions[number - entry.start] || 0;

/**
 * Create the card and its controls.
 *
 * The table of entries adds and removes lines through them: canPick, isPicked and colorOf describe an entry's line,
 * pick adds or removes it, and onChange registers a listener.
 */
const positionsCard = (playlist, current) => {
  const { samples } = playlist;
  const last = samples.at(-1);
  const pool = [...current, ...readEntries(playlist.former)].filter((entry) => entry.positions.length);
  const period = periodButtons(samples[0], last, () => update());
  const shownSamples = () => samples.map((_, number) => number).filter((number) => samples[number] >= period.from());

  /** The top songs now, and those that spent the most time in the top ten during the period. */
  const leading = () => {
    const numbers = shownSamples();
    const score = (entry) =>
      sum(
        numbers.map((number) => {
          const at = positionAt(entry, number);
          return at ? Math.max(0, 11 - at) : 0;
        }),
      );
    const onTop = current.filter((entry) => entry.position <= TOP && entry.positions.length);
    const others = pool
      .map((entry) => [score(entry), entry])
      .filter(([points, entry]) => points && !onTop.includes(entry))
      .sort((a, b) => b[0] - a[0])
      .slice(0, LINES - onTop.length)
      .map(([, entry]) => entry);
    return [...onTop, ...others].sort((a, b) => (a.position ?? 1e6) - (b.position ?? 1e6));
  };
  const keysOfLines = getChoices("line");
  let picked = keysOfLines
    .map((key) => pool.find((entry) => entry.song.key === key))
    .filter(Boolean)
    .slice(0, MOST_PICKED);
  let chosen = picked.length > 0;
  if (!chosen) picked = leading();

  // A line keeps its number, and so its color, until it is removed.
  const numbering = new Map();
  const numberOf = (entry) => {
    if (!numbering.has(entry)) {
      const taken = new Set(picked.filter((one) => numbering.has(one)).map((one) => numbering.get(one)));
      numbering.set(
        entry,
        Array.from({ length: MOST_PICKED + 1 }, (_, n) => n).find((n) => !taken.has(n)),
      );
    }
    return numbering.get(entry);
  };
  const colorOf = (entry) => `var(--c${numberOf(entry) % COLORS})`;
  const lines = () =>
    picked.map((entry) => ({
      name: entry.song.name,
      by: artistNames(entry.song),
      goesOn: entry.position !== null,
      number: numberOf(entry),
      points: shownSamples().map((number) => ({ x: samples[number], y: positionAt(entry, number) || null })),
    }));

  const explanation = () => {
    if (samples.length < 2) return "There is only one snapshot so far. Lines appear from the second one.";
    if (chosen) return "The songs that you chose. Tick songs in the table below to add their lines.";
    return `The top four on ${longDate(last)}, and the songs that spent the most time in the top ten${period.from() > samples[0] ? ` since ${longDate(period.from())}` : ""}. Tick songs in the table below to add their lines.`;
  };
  const figure = plot("", () => positionsOptions(lines(), Math.max(period.from(), samples[0]), last), true);
  const focusLine = (number) => emphasize(figure.drawing.chart, number);
  const keys = el("ul", { class: "legend", role: "list" });
  const data = plotData("Positions by day", () => [
    [
      { label: "Day", value: (number) => samples[number], cell: (number) => shortDate(samples[number]), head: true },
      ...picked.map((entry) => ({
        label: entry.song.name,
        number: true,
        ascending: true,
        value: (number) => positionAt(entry, number) || null,
      })),
    ],
    shownSamples(),
  ]);
  const note = el("p", { class: "muted" });
  const listeners = [];

  const keyOf = (entry, number) =>
    el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          title: "Remove this line",
          "aria-label": `Remove ${entry.song.name} from the chart`,
          onclick: () => {
            pick(entry, false);
            keys.querySelectorAll("button")[Math.min(number, picked.length - 1)]?.focus();
          },
          onmouseenter: () => focusLine(number),
          onmouseleave: () => focusLine(undefined),
          onfocus: () => focusLine(number),
          onblur: () => focusLine(undefined),
        },
        swatch(colorOf(entry)),
        isolated(truncate(entry.song.name, 30)),
      ),
    );
  const update = (redraw = true) => {
    if (!chosen) {
      picked = leading();
      numbering.clear();
    }
    picked.forEach(numberOf);
    note.textContent = explanation();
    const named = picked.map(
      (entry) => `${entry.song.name} (${entry.position ? `now ${entry.position}` : "no longer in the playlist"})`,
    );
    figure.drawing.canvas.setAttribute(
      "aria-label",
      `Line chart of positions, number one at the top: ${named.join(", ")}.`,
    );
    keys.replaceChildren(...picked.map(keyOf));
    data.rebuild();
    listeners.forEach((listener) => listener());
    if (redraw) figure.drawing.draw();
  };
  const pick = (entry, on) => {
    chosen = true;
    picked = picked.filter((one) => one !== entry);
    if (!on) numbering.delete(entry);
    if (on && picked.length < MOST_PICKED) picked.push(entry);
    setChoice(
      "line",
      picked.map((one) => one.song.key),
    );
    say(`${entry.song.name} ${on ? "added to" : "removed from"} the chart`);
    update();
  };
  update(false);

  const title = "Positions over time";
  return {
    section:
      samples.length > 1 ? card(title, null, period.segments, note, keys, figure, data.details) : card(title, explanation()),
    canPick: (entry) => samples.length > 1 && entry.positions.length > 0,
    isPicked: (entry) => picked.includes(entry),
    colorOf,
    pick,
    onChange: (listener) => listeners.push(listener),
  };
};
