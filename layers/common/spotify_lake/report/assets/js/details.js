// The views of a song and of an artist.
// A view is a list of cards. Each card is made from the history of the song or artist, as lookup.js returns it, and is
// null if there is nothing to show.

const isThere = ({ playlist, entry }) => entry.position !== null && !hasEnded(playlist);
const firstSeen = (standings) => lowest(standings.map(({ entry }) => entry.first));
const lastSeen = (standings) => highest(standings.map(({ entry }) => entry.last));
const bestOf = (standings) => lowest(standings.map(({ entry }) => entry.best));
const playlistsOf = (standings) => [...new Set(standings.map(({ playlist }) => playlist))];
const dayCell = (day) => (day === null ? "–" : dateCell(day));
const positionCell = (position) => (position === null ? muted("left") : num(position));

const wayBack = () =>
  el(
    "p",
    {},
    el("a", { class: "back", href: listShown.hash, onclick: returnToList }, "← ", isolated(listShown.name)),
  );

const detailHead = (name, kind, id, ...about) =>
  el(
    "div",
    { class: "head" },
    wayBack(),
    el("h1", {}, isolated(name)),
    el(
      "p",
      { class: "links" },
      about,
      id && el("a", { href: `${SPOTIFY}${kind}/${id}`, rel: "noreferrer" }, "Open in Spotify"),
    ),
  );

const seenTiles = (standings, ...others) =>
  standings.length > 0 &&
  tiles([
    ...others,
    [
      `playlist${playlistsOf(standings.filter(isThere)).length === 1 ? "" : "s"} on ${shortDate(lastDay)}`,
      num(playlistsOf(standings.filter(isThere)).length),
    ],
    ["best position", num(bestOf(standings))],
    [firstSeen(standings) ? "first seen" : "first seen, when this report begins", shortDate(firstSeen(standings))],
    ["last seen", shortDate(lastSeen(standings))],
  ]);

/** One line per playlist: the best position of any of the entries on each day for which positions are kept. */
const historyLines = (standings) =>
  playlistsOf(standings).map((playlist) => {
    const entries = standings.filter((one) => one.playlist === playlist).map(({ entry }) => entry);
    const points = playlist.samples.map((day, number) => ({
      x: day,
      y: lowest(entries.map((entry) => positionAt(entry, number)).filter(Boolean)),
    }));
    const now = lowest(entries.map((entry) => entry.position).filter(Boolean));
    return { playlist, points, now: hasEnded(playlist) ? null : now, best: lowest(entries.map((entry) => entry.best)) };
  });

const historyCard = (standings, explanation) => {
  const all = historyLines(standings).filter(({ points }) => points.some(({ y }) => y));
  const kept = all.sort((a, b) => (a.now ?? 1e6) - (b.now ?? 1e6) || a.best - b.best).slice(0, LINES);
  if (!kept.length) return null;
  const title = "Positions over time";
  const first = Math.min(...kept.map(({ points }) => points[0].x));
  const last = Math.max(...kept.map(({ points }) => points.at(-1).x));
  if (first === last) return card(title, "There is only one snapshot so far. Lines appear from the second one.");
  const period = periodButtons(first, last, () => {
    figure.drawing.draw();
    data.rebuild();
  });
  const days = () => {
    const seen = new Set(kept.flatMap(({ points }) => points.filter(({ y }) => y).map(({ x }) => x)));
    return [...seen].filter((day) => day >= period.from()).sort((a, b) => a - b);
  };
  const lines = () =>
    kept.map(({ playlist, points, now }, number) => ({
      name: playlist.name,
      by: playlist.owner ?? "",
      goesOn: now !== null,
      number,
      points: points.filter(({ x }) => x >= period.from()),
    }));
  const named = kept.map(({ playlist, now }) => `${playlist.name} (${now ? `now ${now}` : "no longer there"})`);
  const figure = plot(
    `Line chart of positions, number one at the top, in ${named.join(", ")}.`,
    () => positionsOptions(lines(), Math.max(period.from(), first), last),
    true,
  );
  const data = plotData("Positions by day", () => [
    [
      { label: "Day", head: true, value: (day) => day, cell: shortDate },
      ...kept.map(({ playlist, points }) => {
        const byDay = new Map(points.map(({ x, y }) => [x, y]));
        return { label: playlist.name, number: true, ascending: true, value: (day) => byDay.get(day) ?? null };
      }),
    ],
    days(),
  ]);
  const more = all.length > kept.length ? ` The ${LINES} playlists with the best positions are shown.` : "";
  const gone = standings.some(({ entry }) => entry.position === null)
    ? " A song that has left keeps the positions of its playlist's last month, or all if it was in the top ten for long."
    : "";
  return card(
    title,
    `${explanation}${more}${gone}`,
    period.segments,
    legend(kept.map(({ playlist }, number) => [playlistLink(playlist), `var(--c${number})`])),
    figure,
    data.details,
  );
};

const NOT_EVERYTHING =
  "The report lists the first 200 entries of a playlist, songs that left it in the last month, and songs that were in its top ten for long.";

// --- A song ---

const songPlaylistsCard = ({ standings }) => {
  if (!standings.length) return null;
  const table = sortable(
    "Playlists with this song",
    [
      {
        label: "Playlist",
        head: true,
        value: ({ playlist }) => playlist.name,
        cell: ({ playlist }) => playlistLink(playlist),
      },
      {
        label: "Position",
        title: `Position on ${longDate(lastDay)}`,
        number: true,
        ascending: true,
        value: (row) => (isThere(row) ? row.entry.position : null),
        cell: (row) => positionCell(isThere(row) ? row.entry.position : null),
      },
      { label: "Best", title: "Best position", number: true, ascending: true, value: ({ entry }) => entry.best },
      {
        label: "Snapshots",
        title: "Number of snapshots with this song",
        number: true,
        value: ({ entry }) => entry.days,
      },
      { label: "First seen", value: ({ entry }) => entry.first, cell: ({ entry }) => dateCell(entry.first) },
      { label: "Last seen", value: ({ entry }) => entry.last, cell: ({ entry }) => dateCell(entry.last) },
      { label: "Added", value: ({ entry }) => entry.added, cell: ({ entry }) => dayCell(entry.added) },
    ],
    standings,
    { name: "playlists", sort: [1, false], search: ({ playlist }) => playlist.name },
  );
  return card("Playlists", `Since ${longDate(0)}, when this report begins. ${NOT_EVERYTHING}`, table.filter, table.table);
};

const songChartsCard = ({ charted }) => {
  if (!charted.length) return null;
  const table = sortable(
    "Charts with this song",
    [
      { label: "Region", head: true, value: ({ region }) => region.name, cell: ({ region }) => isolated(region.name) },
      { label: "Peak", title: "Best rank", number: true, ascending: true, value: ({ row }) => row.peak },
      {
        label: "First reached",
        title: "First day at that rank",
        value: ({ row }) => row.reached,
        cell: ({ row }) => dateCell(row.reached),
      },
      { label: `${charts.units} in chart`, number: true, value: ({ row }) => row.charts },
      charted.some(({ row }) => row.streams !== null) && {
        label: "Streams",
        number: true,
        value: ({ row }) => row.streams,
        cell: ({ row }) => (row.streams === null ? "–" : num(row.streams)),
      },
    ],
    charted,
    { name: "charts", sort: [1, false], search: ({ region }) => region.name },
  );
  return card(
    charts.name,
    `Regions in which the song is among those with the highest peaks or the longest stay, ${longDate(charts.first)} to ${longDate(charts.last)}.`,
    table.filter,
    table.table,
  );
};

const songView = (song) => {
  const history = historyOfSong(song);
  const { standings, charted } = history;
  const by = song.artists.length ? artistLinks(song.artists) : song.by ? isolated(song.by) : null;
  const { album } = song;
  const peak = lowest(charted.map(({ row }) => row.peak));
  return [
    detailHead(
      song.name,
      "track",
      song.id,
      by && el("span", {}, "by ", by),
      album &&
        el("span", {}, "from ", link("album", album.id, album.name || "Untitled"), album.year && ` (${album.year})`),
      song.seconds > 0 && el("span", {}, clock(song.seconds)),
    ),
    seenTiles(standings, peak !== null && [`best rank in the ${charts.title}`, num(peak)]),
    playsCard(history.plays),
    historyCard(standings, "The song's position in each playlist."),
    songPlaylistsCard(history),
    songChartsCard(history),
  ];
};

// --- An artist ---

const artistSongsCard = ({ songs: own, standings }) => {
  if (!own.length) return null;
  const rows = own.map((song) => {
    const found = standings.filter(({ entry }) => entry.song === song);
    return {
      song,
      now: found.filter(isThere).length,
      best: bestOf(found),
      days: sum(found.map(({ entry }) => entry.days)),
      first: firstSeen(found),
      last: lastSeen(found),
    };
  });
  const table = sortable(
    "Songs of this artist",
    [
      { label: "Song", head: true, value: (row) => row.song.name, cell: songCell },
      {
        label: "Playlists",
        title: `Playlists with this song on ${longDate(lastDay)}`,
        number: true,
        value: (row) => row.now,
      },
      {
        label: "Best",
        title: "Best position in any playlist",
        number: true,
        ascending: true,
        value: (row) => row.best,
      },
      {
        label: "Snapshots",
        title: "Number of snapshots with this song, in all playlists",
        number: true,
        value: (row) => row.days,
        cell: (row) => num(row.days),
      },
      { label: "First seen", value: (row) => row.first, cell: (row) => dayCell(row.first) },
      { label: "Last seen", value: (row) => row.last, cell: (row) => dayCell(row.last) },
    ],
    rows,
    { name: "songs", sort: [1, true], search: ({ song }) => `${song.name} ${artistNames(song)}` },
  );
  return card("Songs", `Since ${longDate(0)}, when this report begins. ${NOT_EVERYTHING}`, table.filter, table.table);
};

const artistPlaylistsCard = ({ standings }) => {
  if (!standings.length) return null;
  const rows = playlistsOf(standings).map((playlist) => {
    const found = standings.filter((one) => one.playlist === playlist);
    const there = found.filter(isThere);
    return {
      playlist,
      now: there.length,
      position: lowest(there.map(({ entry }) => entry.position)),
      best: bestOf(found),
      first: firstSeen(found),
      last: lastSeen(found),
    };
  });
  const table = sortable(
    "Playlists with this artist",
    [
      { label: "Playlist", head: true, value: (row) => row.playlist.name, cell: (row) => playlistLink(row.playlist) },
      { label: "Songs", title: `Songs on ${longDate(lastDay)}`, number: true, value: (row) => row.now },
      {
        label: "Position",
        title: `Best position of a song on ${longDate(lastDay)}`,
        number: true,
        ascending: true,
        value: (row) => row.position,
        cell: (row) => positionCell(row.position),
      },
      { label: "Best", title: "Best position of any song", number: true, ascending: true, value: (row) => row.best },
      { label: "First seen", value: (row) => row.first, cell: (row) => dateCell(row.first) },
      { label: "Last seen", value: (row) => row.last, cell: (row) => dateCell(row.last) },
    ],
    rows,
    { name: "playlists", sort: [1, true], search: (row) => row.playlist.name },
  );
  return card("Playlists", null, table.filter, table.table);
};

const artistChartsCard = ({ charted }) => {
  if (!charted.length) return null;
  const table = sortable(
    "Charts with this artist",
    [
      { label: "Region", head: true, value: ({ region }) => region.name, cell: ({ region }) => isolated(region.name) },
      charted.some(({ row }) => row.streams !== null) && {
        label: "Streams",
        number: true,
        value: ({ row }) => row.streams,
        cell: ({ row }) => (row.streams === null ? "–" : num(row.streams)),
      },
      {
        label: charts.units,
        title: `${charts.units} with a song in the chart`,
        number: true,
        value: ({ row }) => row.charts,
      },
      { label: "Songs", title: "Different songs in the chart", number: true, value: ({ row }) => row.songs },
      {
        label: "Peak",
        title: "Best rank of any of the songs",
        number: true,
        ascending: true,
        value: ({ row }) => row.peak,
      },
    ],
    charted,
    { name: "charts", search: ({ region }) => region.name },
  );
  return card(
    charts.name,
    `Regions in which the artist is among the first, ${longDate(charts.first)} to ${longDate(charts.last)}. Charts name artists without an id, so this goes by name.`,
    table.filter,
    table.table,
  );
};

const artistView = (artist) => {
  const history = historyOfArtist(artist);
  const { standings, now } = history;
  return [
    detailHead(artist.name, "artist", artist.id),
    seenTiles(standings, now !== null && [`different song${now === 1 ? "" : "s"} on ${shortDate(lastDay)}`, num(now)]),
    playsCard(history.plays),
    historyCard(standings, "The best position of any of the artist's songs in each playlist."),
    artistSongsCard(history),
    artistPlaylistsCard(history),
    artistChartsCard(history),
  ];
};

const unknownView = (kind) => [
  el(
    "section",
    { class: "card center" },
    el("h1", {}, `This ${kind} is not in the report`),
    el(
      "p",
      {},
      `The report covers ${content.first ? `${longDate(0)} to ${longDate(lastDay)}` : "no days yet"}, and this ${kind} is not in it. An earlier report may have it.`,
    ),
    wayBack(),
  ),
];
