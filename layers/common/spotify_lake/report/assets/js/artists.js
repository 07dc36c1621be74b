// The artists of one playlist, or of all: their shares over time, and a table of the newest snapshot.

const BANDS = 8; // artists in the area chart

/** The total number of entries in the playlists on each of the artist days. */
const entriesOn = (lists) =>
  artistDays.map((day) =>
    sum(
      lists.map((playlist) => {
        const at = playlist.days.indexOf(day);
        return at < 0 ? 0 : playlist.counts[at];
      }),
    ),
  );

const artistCards = (counted, lists) => {
  const totals = entriesOn(lists);
  const numbers = artistDays.map((_, number) => number).filter((number) => totals[number] > 0);
  if (!counted.length || !numbers.length) return [];
  const today = artistsTodayCard(counted, lists, totals, numbers);
  return numbers.length > 1 ? [artistsOverTimeCard(counted, totals, numbers), today] : [today];
};

const artistsTodayCard = (counted, lists, totals, numbers) => {
  const now = numbers.at(-1);
  const then = numbers.findLast((number) => artistDays[number] <= artistDays[now] - MONTH);
  const rows = counted
    .map((row) => ({
      artist: row.artist,
      songs: row.now,
      entries: row.at(now),
      then: then === undefined ? null : row.at(then),
    }))
    .filter((row) => row.entries)
    .sort((a, b) => b.songs - a.songs || b.entries - a.entries);
  const together = lists.length > 1;
  const most = rows[0]?.songs || 1;
  const change = (row) => {
    const more = row.entries - row.then;
    if (!more) return muted("=");
    return el("span", { class: more > 0 ? "up" : "down" }, `${more > 0 ? "+" : "−"}${Math.abs(more)}`);
  };
  const table = sortable(
    "Artists",
    [
      {
        label: "Artist",
        head: true,
        value: (row) => row.artist.name,
        cell: (row) => artistLink(row.artist),
      },
      {
        label: "Songs",
        title: "Different songs; a song by two artists counts for both",
        value: (row) => row.songs,
        cell: (row) => meter(num(row.songs), row.songs / most, num(most).length),
      },
      together && {
        label: "Entries",
        title: "A song counts once for each playlist it is in",
        number: true,
        value: (row) => row.entries,
      },
      {
        label: "Share",
        title: "Share of all entries",
        number: true,
        value: (row) => row.entries / totals[now],
        cell: (row) => percent(row.entries, totals[now]),
      },
      then !== undefined && {
        label: `Since ${dayMonth(artistDays[then])}`,
        number: true,
        title: `Change in the number of ${together ? "entries" : "songs"}`,
        value: (row) => row.entries - row.then,
        cell: change,
      },
    ],
    rows,
    { name: "artists", sort: [1, true], limit: 12, search: (row) => row.artist.name },
  );
  return card(
    "Artists now",
    `The number of different songs by each artist on ${longDate(artistDays[now])}, and their share of all entries.${together ? " A song in several playlists is one song, and one entry in each." : ""}`,
    table.filter,
    table.table,
  );
};

const artistsOverTimeCard = (counted, totals, numbers) => {
  const first = numbers[0];
  const now = numbers.at(-1);
  const share = (row, number) => (100 * row.at(number)) / totals[number];
  const total = (row) => sum(numbers.map((number) => row.at(number) / totals[number]));
  const bands = [...counted].sort((a, b) => total(b) - total(a)).slice(0, BANDS);
  const leader = bands[0];
  const description = `${leader.artist.name} has the largest share over the whole period: ${share(leader, first).toFixed(1)}% of the entries on ${shortDate(artistDays[first])}, ${share(leader, now).toFixed(1)}% on ${shortDate(artistDays[now])}.`;
  const figure = plot(
    `Stacked area chart of the ${bands.length} artists with the largest share. ${description}`,
    () => ({
      type: "line",
      data: {
        datasets: bands.map((row, band) => ({
          label: row.artist.name,
          data: numbers.map((number) => ({ x: artistDays[number], y: share(row, number) })),
          fill: band ? "-1" : "origin",
          backgroundColor: faint(color(band), 0.78),
          borderColor: token("surface"),
          borderWidth: 1,
          pointRadius: 0,
          pointHoverRadius: 0,
          pointStyle: "rectRounded",
          cubicInterpolationMode: "monotone",
        })),
      },
      options: {
        interaction: { mode: "index", intersect: false, axis: "x" },
        scales: {
          x: timeAxis(artistDays[first], artistDays[now]),
          y: {
            stacked: true,
            min: 0,
            border: { display: false },
            ticks: { maxTicksLimit: 6, callback: (value) => `${value}%` },
          },
        },
        plugins: {
          tooltip: {
            reverse: true,
            itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
            callbacks: {
              title: ([item]) => longDate(item.parsed.x),
              label: (item) => ` ${truncate(item.dataset.label, 32)}  ${item.raw.y.toFixed(1)}%`,
              labelColor: (item) => ({
                backgroundColor: color(item.datasetIndex),
                borderColor: color(item.datasetIndex),
              }),
            },
          },
        },
      },
    }),
  );
  const data = plotData("Share of each artist by day, in percent", () => [
    [
      {
        label: "Day",
        value: (number) => artistDays[number],
        cell: (number) => shortDate(artistDays[number]),
        head: true,
      },
      ...bands.map((row) => ({
        label: row.artist.name,
        number: true,
        value: (number) => share(row, number),
        cell: (number) => share(row, number).toFixed(1),
      })),
    ],
    numbers,
  ]);
  return card(
    "Artists over time",
    description,
    null,
    legend(bands.map((row, band) => [artistLink(row.artist), `var(--c${band})`])),
    figure,
    data.details,
  );
};
