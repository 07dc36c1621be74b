// Reads the JSON in #data and turns its rows into objects.
// Days are numbers: day 0 is the first day of the report.

const { generated_at: generatedAt, columns, content } = JSON.parse(document.getElementById("data").textContent);
const { playlists, artist_days: artistDays } = content;
const DAY_MS = 86400000;
const WEEK = 7;
const MONTH = 30;

const start = content.first ? Date.parse(content.first) : 0;
const lastDay = content.last ? (Date.parse(content.last) - start) / DAY_MS : 0;
const dateOf = (day) => new Date(start + day * DAY_MS);

/** Convert rows from arrays to objects. `columns` lists the column names of each kind of row. */
const readRows = (kind, rows) =>
  rows.map((row) => Object.fromEntries(columns[kind].map((column, number) => [column, row[number]])));

/** Expand runs of equal values: [[5, 3], 4] becomes [5, 5, 5, 4]. */
const expand = (runs) => runs.flatMap((run) => (Array.isArray(run) ? Array(run[1]).fill(run[0]) : [run]));

// Days are stored as the gaps between them, and the long lists of a playlist as runs.
const daysOf = (gaps) => {
  let day = 0;
  return expand(gaps).map((gap) => (day += gap));
};
for (const playlist of playlists) {
  playlist.days = daysOf(playlist.days);
  playlist.samples = daysOf(playlist.samples);
  for (const name of ["counts", "entered", "left"]) playlist[name] = expand(playlist[name]);
}

// Each song, album and artist is stored once; other rows refer to them by index.
const albums = readRows("Album", content.albums);
const artists = readRows("Artist", content.artists).map(({ id, name }) => ({ id, name: name || "Unnamed artist" }));
const songs = readRows("Song", content.songs).map((song) => ({
  ...song,
  name: song.name || "Untitled",
  artists: song.artists.map((number) => artists[number]),
  album: song.album === null ? null : albums[song.album],
}));

const readEntries = (rows) =>
  readRows("Entry", rows).map((entry) => ({ ...entry, song: songs[entry.song], positions: expand(entry.positions) }));

/**
 * Return artists with the number of their different songs `now`, and a function `at(number)` that gives the number of
 * their entries on one of the artist days.
 */
const readArtistSongs = (rows) =>
  readRows("ArtistSongs", rows).map((row) => {
    const values = Array(row.start).fill(0).concat(expand(row.entries));
    return { artist: artists[row.artist], now: row.now, at: (number) => values[number] || 0 };
  });

const readEvents = (rows) => readRows("Event", rows).map((event) => ({ ...event, song: songs[event.song] }));

/** Return the charts. Their days are stored as days since 1970 and converted here to days of the report. */
const readCharts = () => {
  const { charts } = content;
  const fromStart = (day) => day - start / DAY_MS;
  const known = readRows("ChartSong", charts.songs).map(({ id, title, artists: by }) => ({
    id,
    name: title || "Untitled",
    by: by || "",
  }));
  return {
    ...charts,
    songs: known,
    first: fromStart(charts.first),
    last: fromStart(charts.last),
    name: `${charts.period === "weekly" ? "Weekly" : "Daily"} ${charts.title}`,
    unit: charts.period === "weekly" ? "week" : "day",
    units: charts.period === "weekly" ? "Weeks" : "Days",
    regions: charts.regions.map((region) => ({
      ...region,
      first: fromStart(region.first),
      last: fromStart(region.last),
      artists: readRows("RegionArtist", region.artists),
      songs: readRows("RegionSong", region.songs).map((row) => ({
        ...row,
        song: known[row.song],
        reached: fromStart(row.reached),
      })),
    })),
    spread: readRows("Spread", charts.spread).map((row) => ({
      ...row,
      song: known[row.song],
      first: fromStart(row.first),
    })),
    ahead: readRows("Ahead", charts.ahead).map((row) => ({
      ...row,
      song: known[row.song],
      viral: fromStart(row.viral),
      entered: fromStart(row.entered),
    })),
    viral: readRows("Viral", charts.viral),
    forecast: charts.forecast && {
      ...charts.forecast,
      made: fromStart(charts.forecast.made),
      songs: readRows("ForecastSong", charts.forecast.songs).map((row) => ({ ...row, song: known[row.song] })),
      scores: readRows("ForecastScore", charts.forecast.scores).map((row) => ({ ...row, made: fromStart(row.made) })),
    },
  };
};

// Facts about a playlist that several views need.
const newestDay = (playlist) => playlist.days.at(-1);
const entryCount = (playlist) => playlist.counts.at(-1);
const hasEnded = (playlist) => newestDay(playlist) < lastDay;
const lowest = (values) => (values.length ? Math.min(...values) : null);
const highest = (values) => (values.length ? Math.max(...values) : null);
const sum = (values) => values.reduce((total, value) => total + value, 0);
/** Sum one value per snapshot of a playlist over the seven days up to `end`. */
const weekUpTo = (end, playlist, values) => sum(values.filter((_, number) => playlist.days[number] > end - WEEK));
