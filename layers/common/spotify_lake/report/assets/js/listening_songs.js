// The parts of the view of plays about songs, artists, albums and playlists; and the plays of one song or artist.

/** Columns of the time and the plays of a period. */
const timeColumns = (period) => [
  {
    label: "Time",
    number: true,
    value: (row) => within(row.seconds, period),
    cell: (row) => spentCell(within(row.seconds, period), within(row.estimated, period)),
  },
  {
    label: "Plays",
    title: "Plays of 30 seconds or more",
    number: true,
    value: (row) => within(row.plays, period),
    cell: (row) => num(within(row.plays, period)),
  },
];
const isHeard = (period) => (row) => within(row.seconds, period) > 0 || within(row.plays, period) > 0;
const heardText = ({ song, by }) => `${song.name} ${by ?? ""}`;
const heardSongColumn = {
  label: "Song",
  head: true,
  value: ({ song }) => song.name,
  cell: ({ song, by }) => [
    songCell({ song }),
    !song.artists.length && by && el("span", { class: "by" }, isolated(by)),
  ],
};

const MOST_HEARD = 100; // the data have no more by time and by plays

/** The rows that are among the first by time or by plays in a period. */
const leadersOf = (rows, period) => {
  const heard = rows.filter(isHeard(period));
  const first = (name) =>
    [...heard].sort((a, b) => within(b[name], period) - within(a[name], period)).slice(0, MOST_HEARD);
  return [...new Set([...first("seconds"), ...first("plays")])];
};

const heardSongsCard = (period) => {
  const table = sortable(
    "Songs heard most",
    [
      heardSongColumn,
      ...timeColumns(period),
      { label: "First heard", value: (row) => row.first, cell: (row) => dateCell(row.first) },
      { label: "Last heard", value: (row) => row.last, cell: (row) => dateCell(row.last) },
    ],
    leadersOf(listening.songs, period),
    { name: "songs", sort: [1, true], limit: 10, search: heardText },
  );
  return card("Songs", null, table.filter, table.table);
};

const heardArtistsCard = (period) => {
  const table = sortable(
    "Artists heard most",
    [
      { label: "Artist", head: true, value: ({ artist }) => artist.name, cell: ({ artist }) => artistLink(artist) },
      ...timeColumns(period),
    ],
    leadersOf(listening.artists, period),
    { name: "artists", sort: [1, true], limit: 10, search: ({ artist }) => artist.name },
  );
  return card("Artists", null, table.filter, table.table);
};

const heardAlbumsCard = (period) => {
  const table = sortable(
    "Albums heard most",
    [
      {
        label: "Album",
        head: true,
        value: (row) => row.name,
        cell: ({ name, by, artist }) => [
          el("b", {}, isolated(name)),
          by && el("span", { class: "by" }, artist ? artistLink(artist) : isolated(by)),
        ],
      },
      ...timeColumns(period),
    ],
    leadersOf(listening.albums, period),
    { name: "albums", sort: [1, true], limit: 10, search: ({ name, by }) => `${name} ${by ?? ""}` },
  );
  return card("Albums", null, table.filter, table.table);
};

const discoveryCard = () => {
  const { newSongs, newArtists, discovery_start: first } = listening;
  if (newSongs.length < 2) return null;
  const year = (values) => sum(values.slice(-12));
  const description = `${count(year(newArtists), "new artist")} and ${count(year(newSongs), "new song")} in the last twelve months. In the first months of a history nearly everything is new.`;
  const data = plotData("New artists and songs by month", () => [
    [
      { label: "Month", head: true, value: (month) => month, cell: (month) => monthName(first + month) },
      { label: "New artists", number: true, value: (month) => newArtists[month], cell: (month) => num(newArtists[month]) },
      { label: "New songs", number: true, value: (month) => newSongs[month], cell: (month) => num(newSongs[month]) },
    ],
    newSongs.map((_, month) => month),
  ]);
  return card(
    "Discovery",
    description,
    null,
    legend([
      ["new artists", "var(--c1)"],
      ["new songs", "var(--c3)"],
    ]),
    monthBars(
      `Bar chart of new artists and songs by month. ${description}`,
      first,
      [
        { label: "new artists", fill: "c1", values: newArtists },
        { label: "new songs", fill: "c3", values: newSongs },
      ],
      num,
    ),
    data.details,
  );
};

const LEAST_STARTS = 5; // of a song among the most skipped

const skipsCard = (period) => {
  const starts = (row) => within(row.starts, period);
  const skips = (row) => within(row.skips, period);
  const rows = listening.songs
    .filter((row) => starts(row) >= LEAST_STARTS && skips(row) > 0)
    .sort((a, b) => skips(b) / starts(b) - skips(a) / starts(a) || starts(b) - starts(a))
    .slice(0, 50);
  if (!rows.length) return null;
  const table = sortable(
    "Songs skipped most",
    [
      heardSongColumn,
      {
        label: "Skipped",
        value: (row) => skips(row) / starts(row),
        cell: (row) => meter(percent(skips(row), starts(row)), skips(row) / starts(row), 4),
      },
      { label: "Skips", number: true, value: skips, cell: (row) => num(skips(row)) },
      { label: "Started", number: true, value: starts, cell: (row) => num(starts(row)) },
    ],
    rows,
    { name: "skips", limit: 10, search: heardText },
  );
  return card(
    "Skipped",
    `Songs that started at least ${LEAST_STARTS} times in the period. Only the extended streaming history tells what was skipped.`,
    table.filter,
    table.table,
  );
};

// --- Playlists against plays ---

const playedListsCard = () => {
  const rows = listening.lists.filter(({ songs }) => songs > 0);
  if (!rows.length) return null;
  const table = sortable(
    "Playlists against plays",
    [
      {
        label: "Playlist",
        head: true,
        value: ({ playlist }) => playlist.name,
        cell: ({ playlist }) => playlistLink(playlist),
      },
      { label: "Songs", title: "Different songs", number: true, value: (row) => row.songs, cell: (row) => num(row.songs) },
      {
        label: "Played",
        title: "Share of its songs that were ever played",
        value: (row) => row.played / row.songs,
        cell: (row) => meter(percent(row.played, row.songs), row.played / row.songs, 4),
      },
      {
        label: "Never played",
        number: true,
        value: (row) => row.songs - row.played,
        cell: (row) => num(row.songs - row.played),
      },
      {
        label: "Not lately",
        title: `Played before, but not in the year up to ${longDate(listening.last)}`,
        number: true,
        value: (row) => row.played - row.lately,
        cell: (row) => num(row.played - row.lately),
      },
    ],
    rows,
    { name: "lists", sort: [3, true], limit: 10, search: ({ playlist }) => playlist.name },
  );
  return card(
    "Playlists against plays",
    "A song of a playlist was played if its id was, or its title by one of its artists.",
    table.filter,
    table.table,
  );
};

const neverCard = () => {
  if (!listening.never.length) return null;
  const table = sortable(
    "Songs in playlists that were never played",
    [
      heardSongColumn,
      {
        label: "Playlists",
        value: (row) => row.playlists.map((playlist) => playlist.name).join(", "),
        cell: (row) => row.playlists.flatMap((playlist, number) => [number ? ", " : null, playlistLink(playlist)]),
      },
    ],
    listening.never,
    { name: "never", limit: 10, search: ({ song, playlists: of }) => [song, ...of].map(({ name }) => name).join(" ") },
  );
  const more = listening.never_count > listening.never.length ? ` The first ${num(listening.never.length)} are listed.` : "";
  return card(
    "Never played",
    `${count(listening.never_count, "song")} in your playlists.${more}`,
    table.filter,
    table.table,
  );
};

const unlistedCard = (period) => {
  if (!listening.lists.length) return null;
  const rows = leadersOf(
    listening.songs.filter((row) => !row.listed),
    period,
  );
  if (!rows.length) return null;
  const table = sortable("Songs in no playlist", [heardSongColumn, ...timeColumns(period)], rows, {
    name: "unlisted",
    sort: [1, true],
    limit: 10,
    search: heardText,
  });
  return card("In no playlist", "Songs you play that none of your playlists has now.", table.filter, table.table);
};

// --- The plays of one song or artist ---

const playsCard = (plays) => {
  if (!plays) return null;
  const facts = tiles([
    ["plays of 30 seconds or more", num(plays.plays)],
    ["listened", spentCell(plays.seconds, plays.estimated)],
    ["first heard", shortDate(plays.first)],
    ["last heard", shortDate(plays.last)],
  ]);
  if (!plays.months.length) return card("Plays", null, null, facts);
  const { start: first, months } = plays;
  const most = months.indexOf(Math.max(...months));
  const data = plotData("Plays by month", () => [
    [
      { label: "Month", head: true, value: (month) => month, cell: (month) => monthName(first + month) },
      { label: "Plays", number: true, value: (month) => months[month], cell: (month) => num(months[month]) },
    ],
    months.map((_, month) => month).filter((month) => months[month]),
  ]);
  return card(
    "Plays",
    `Most in ${monthName(first + most)}: ${count(months[most], "play")}.`,
    null,
    facts,
    monthBars(
      `Bar chart of plays by month, ${monthName(first)} to ${monthName(first + months.length - 1)}.`,
      first,
      [{ label: "plays", fill: "c0", values: months }],
      num,
    ),
    data.details,
  );
};
