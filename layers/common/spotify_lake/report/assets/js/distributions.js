// The songs of one playlist, or of all, by release year and by popularity.
// Years are sorted pairs [year, songs]; popularity is ten counts, one for each step of ten.

const LONGEST_BY_YEAR = 70; // with a longer span of years than this, bars are decades

/** The median release year. */
const medianYear = (years) => {
  let half = sum(years.map(([, n]) => n)) / 2;
  for (const [year, n] of years) if ((half -= n) <= 0) return year;
  return null;
};

const yearsCard = (years) => {
  if (!years.length) return null;
  const known = new Map(years);
  const first = years[0][0];
  const last = years.at(-1)[0];
  const total = sum(years.map(([, n]) => n));
  const byDecade = last - first > LONGEST_BY_YEAR;
  const width = byDecade ? 10 : 1;
  const bins = [];
  for (let year = byDecade ? Math.floor(first / 10) * 10 : first; year <= last; year += width) {
    bins.push({ year, songs: sum(Array.from({ length: width }, (_, n) => known.get(year + n) || 0)) });
  }
  const name = ({ year }) => (byDecade ? `${year}s` : String(year));
  const best = bins.reduce((a, b) => (b.songs > a.songs ? b : a));
  const fresh = sum(years.filter(([year]) => year >= dateOf(lastDay).getUTCFullYear() - 1).map(([, n]) => n));
  const description = `Half of the songs are from ${medianYear(years)} or earlier. The most common ${byDecade ? "decade is the" : "year is"} ${name(best)}.${fresh ? ` ${percent(fresh, total)} came out this year or last year.` : ""}`;
  const figure = histogram(
    `Bar chart. ${description}`,
    bins.map(name),
    bins.map((bin) => bin.songs),
    { fill: "c3", labelPadding: 14, bars: { categoryPercentage: 0.92, maxBarThickness: 40 } },
  );
  const data = plotData("Songs by release year", () => [
    [
      { label: byDecade ? "Decade" : "Year", value: (bin) => bin.year, cell: name, head: true },
      { label: "Songs", number: true, value: (bin) => bin.songs },
    ],
    bins,
  ]);
  return card("Release years", description, null, figure, data.details);
};

const popularityCard = (steps, mean) => {
  if (!steps) return null;
  const name = (step) => `${step * 10}–${step === 9 ? 100 : step * 10 + 9}`;
  const best = steps.indexOf(Math.max(...steps));
  const description = `Spotify's popularity score, from 0 to 100, of ${count(sum(steps), "song")}. The most common range is ${name(best)}; the mean is ${mean}.`;
  const figure = histogram(
    `Bar chart. ${description}`,
    steps.map((_, step) => name(step)),
    steps,
    {
      fill: "c1",
      labelPadding: 8,
      bars: { categoryPercentage: 0.94 },
      tooltip: { title: ([item]) => `Popularity ${item.label}` },
    },
  );
  const data = plotData("Songs by popularity", () => [
    [
      { label: "Popularity", value: ({ step }) => step, cell: ({ step }) => name(step), head: true },
      { label: "Songs", number: true, value: (row) => row.songs },
    ],
    steps.map((songs, step) => ({ step, songs })),
  ]);
  return card("Popularity", description, null, figure, data.details);
};
