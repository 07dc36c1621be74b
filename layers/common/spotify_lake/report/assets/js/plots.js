// Draws with Chart.js: colors, time axes and the plots of the current view.

const LONGEST_BY_DAY = 75; // longest time axis, in days, that is labelled by day; longer ones are labelled by month

const narrow = matchMedia("(max-width: 600px)");
/** Read a custom property of the style sheet, such as --c1. */
const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const color = (number) => token(`c${number % 10}`);
const faint = (hex, alpha) =>
  `${hex}${Math.round(alpha * 255)
    .toString(16)
    .padStart(2, "0")}`;

Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
Chart.defaults.font.size = 12;
Chart.defaults.animation = false;
Chart.defaults.maintainAspectRatio = false;
Chart.defaults.plugins.legend.display = false;
const applyTheme = () => {
  Chart.defaults.color = token("muted");
  Chart.defaults.borderColor = token("line");
  Object.assign(Chart.defaults.plugins.tooltip, {
    backgroundColor: token("surface"),
    titleColor: token("muted"),
    bodyColor: token("ink"),
    borderColor: token("line"),
    borderWidth: 1,
    padding: 10,
    cornerRadius: 8,
    boxPadding: 5,
    usePointStyle: true,
    titleFont: { weight: "500" },
  });
};

let plots = [];
/**
 * Create a figure. `options` builds the Chart.js configuration and is called for every drawing, because colors depend
 * on the theme. `description` is what screen readers read.
 */
const plot = (description, options, tall = false) => {
  const canvas = el("canvas", { role: "img", "aria-label": description });
  const drawing = {
    chart: null,
    draw: () => {
      drawing.chart?.destroy();
      drawing.chart = new Chart(canvas, options());
    },
    canvas,
  };
  plots.push(drawing);
  return Object.assign(el("div", { class: tall ? "plot tall" : "plot" }, canvas), { drawing });
};
const redrawPlots = () => plots.forEach((drawing) => drawing.draw());
const destroyPlots = () => {
  plots.forEach((drawing) => drawing.chart?.destroy());
  plots = [];
};
/** Draw the plots that are on the page, and drop those that are not. */
const drawPlots = () => {
  for (const drawing of plots) if (!drawing.canvas.isConnected) drawing.chart?.destroy();
  plots = plots.filter((drawing) => drawing.canvas.isConnected);
  redrawPlots();
};

/** Choose the days for ticks: as many as fit the width; on long axes only the first of a month. */
const tickDays = (first, last, width) => {
  const span = last - first;
  const ticks = [];
  const most = Math.min(12, Math.max(3, Math.floor(width / 85)));
  if (span <= LONGEST_BY_DAY) {
    const step = Math.max(1, Math.ceil(span / most));
    for (let day = last; day >= first; day -= step) ticks.unshift(day);
    return ticks;
  }
  const months = Math.max(1, Math.ceil(span / 30.4 / most));
  const every = [1, 2, 3, 4, 6, 12].find((choice) => choice >= months) || 12;
  const date = dateOf(first);
  for (let month = 1; ; month++) {
    const at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + month, 1);
    const day = Math.round((at - start) / DAY_MS);
    if (day > last) return ticks;
    if (new Date(at).getUTCMonth() % every === 0) ticks.push(day);
  }
};
const tickLabel = (first, last) => (last - first <= LONGEST_BY_DAY ? dayMonth : monthYear);
const timeAxis = (first, last) => {
  const label = tickLabel(first, last);
  const edge = first === last ? 1 : 0;
  return {
    type: "linear",
    min: first - edge,
    max: last + edge,
    grid: { display: false },
    afterBuildTicks: (axis) => {
      axis.ticks = tickDays(first, last, axis.chart.width).map((value) => ({ value }));
    },
    ticks: { callback: (value) => label(value), maxRotation: 0, autoSkip: false },
  };
};

/** A bar chart of the number of songs in each bin. */
const histogram = (description, labels, values, { fill, labelPadding, bars, tooltip = {} }) =>
  plot(description, () => ({
    type: "bar",
    data: {
      labels,
      datasets: [
        { label: "songs", data: values, backgroundColor: token(fill), borderRadius: 2, barPercentage: 0.95, ...bars },
      ],
    },
    options: {
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { grid: { display: false }, ticks: { maxRotation: 0, autoSkipPadding: labelPadding } },
        y: { border: { display: false }, ticks: { precision: 0, maxTicksLimit: 6 } },
      },
      plugins: {
        tooltip: { displayColors: false, callbacks: { label: (item) => count(item.raw, "song"), ...tooltip } },
      },
    },
  }));
