// The view of one playlist.

/** Positions gained in a week; null for an entry that was not in the playlist a week before. */
const climb = (entry) => (entry.week_ago ? entry.week_ago - entry.position : null);

const moveCell = (entry) => {
  if (entry.week_ago === null) return muted("–");
  if (entry.week_ago === 0) return el("span", { class: "tag" }, "new");
  const won = climb(entry);
  if (won === 0) return el("span", { class: "muted", role: "img", "aria-label": "unchanged" }, "=");
  return won > 0
    ? el("span", { class: "up", role: "img", "aria-label": `up ${won}` }, `▲ ${won}`)
    : el("span", { class: "down", role: "img", "aria-label": `down ${-won}` }, `▼ ${-won}`);
};
const KINDS = {
  episode: "podcast",
  chapter: "audiobook",
  local: "local file",
  unavailable: "not available",
  other: "neither song nor podcast",
};
const songCell = ({ song }) => [
  el("b", {}, songLink(song)),
  song.explicit ? [" ", el("abbr", { class: "tag", title: "Explicit" }, "E")] : null,
  song.kind !== "song" ? [" ", el("span", { class: "tag" }, KINDS[song.kind] || song.kind)] : null,
  song.artists.length > 0 && el("span", { class: "by" }, artistLinks(song.artists)),
];
const albumCell = ({ song: { album } }) => {
  if (!album) return "–";
  const cover =
    album.image &&
    el("a", { href: album.image, rel: "noreferrer", "aria-label": `Cover of ${album.name || "the album"}` }, "cover");
  return [link("album", album.id, album.name || "Untitled"), cover && [" · ", cover]];
};

const entriesCard = (playlist, current, chart) => {
  const boxes = new Map();
  const mark = (entry, input) => {
    input.checked = chart.isPicked(entry);
    if (input.checked) input.style.setProperty("--mine", chart.colorOf(entry));
    else input.style.removeProperty("--mine");
  };
  const boxCell = (entry) => {
    if (!chart.canPick(entry)) return null;
    const input = el("input", {
      type: "checkbox",
      "aria-label": `Show ${entry.song.name} in the chart`,
      onchange: (event) => chart.pick(entry, event.target.checked),
    });
    boxes.set(entry, input);
    mark(entry, input);
    return input;
  };
  chart.onChange(() => boxes.forEach((input, entry) => mark(entry, input)));
  const added = (entry) => entry.added ?? entry.first;
  const table = sortable(
    `Entries of ${playlist.name}`,
    [
      playlist.samples.length > 1 && { label: "Show in chart", unsorted: true, cell: boxCell },
      { label: "#", title: "Position", number: true, ascending: true, value: (entry) => entry.position },
      {
        label: "7 days",
        title: "Change in seven days",
        number: true,
        value: (entry) => (entry.week_ago === 0 ? 100000 - entry.position : climb(entry)),
        cell: moveCell,
      },
      { label: "Song", head: true, value: (entry) => entry.song.name, cell: songCell },
      { label: "Album", kind: "album", value: (entry) => entry.song.album?.name ?? null, cell: albumCell },
      { label: "Year", number: true, value: (entry) => entry.song.album?.year ?? null },
      { label: "Snapshots", title: "Number of snapshots with this entry", number: true, value: (entry) => entry.days },
      { label: "Best", title: "Best position", number: true, ascending: true, value: (entry) => entry.best },
      { label: "Added", value: added, cell: (entry) => dateCell(added(entry)) },
      {
        label: "Length",
        number: true,
        value: (entry) => entry.song.seconds,
        cell: (entry) => (entry.song.seconds === null ? "–" : clock(entry.song.seconds)),
      },
      current.some((entry) => entry.song.popularity !== null) && {
        label: "Pop.",
        title: "Spotify's popularity score, from 0 to 100",
        number: true,
        value: (entry) => entry.song.popularity,
      },
    ],
    current,
    { name: "entries", search: ({ song }) => `${song.name} ${artistNames(song)} ${song.album?.name ?? ""}` },
  );
  return card(
    hasEnded(playlist) ? "Entries when last seen" : "Current entries",
    playlist.unlisted
      ? `The first ${num(current.length)} entries. The table playlist_entries has ${num(playlist.unlisted)} more.`
      : null,
    table.filter,
    table.table,
  );
};

const highlights = (current) => {
  const best = (entries, value) =>
    entries.reduce((top, entry) => (top === null || value(entry) > value(top) ? entry : top), null);
  const climber = best(
    current.filter((entry) => climb(entry) > 0),
    climb,
  );
  const newcomer = best(
    current.filter((entry) => entry.week_ago === 0),
    (entry) => -entry.position,
  );
  const oldest = best(current, (entry) => entry.days * 10000 - entry.position);
  const tile = (title, entry, text) =>
    entry && [
      title,
      songLink(entry.song),
      el("span", {}, artistLinks(entry.song.artists)),
      el("span", {}, text(entry)),
    ];
  return tiles(
    [
      tile("Highest new entry this week", newcomer, (entry) => `now at ${entry.position}`),
      tile("Biggest climb in a week", climber, (entry) => `from ${entry.week_ago} to ${entry.position}`),
      tile("Longest in the playlist", oldest, (entry) => `${count(entry.days, "snapshot")}, now at ${entry.position}`),
    ],
    true,
  );
};

const playlistHead = (playlist) =>
  el(
    "div",
    { class: "head" },
    el("h1", {}, isolated(playlist.name)),
    playlist.description && el("p", {}, isolated(playlist.description)),
    el(
      "p",
      { class: "links" },
      playlist.owner && el("span", {}, "by ", isolated(playlist.owner)),
      playlist.id && el("a", { href: `${SPOTIFY}playlist/${playlist.id}`, rel: "noreferrer" }, "Open in Spotify"),
      playlist.image && el("a", { href: playlist.image, rel: "noreferrer" }, "Cover image"),
      playlist.followers !== null && el("span", {}, count(playlist.followers, "follower")),
    ),
  );

const playlistTiles = (playlist) => {
  const { totals } = playlist;
  const entered = weekUpTo(newestDay(playlist), playlist, playlist.entered);
  const left = weekUpTo(newestDay(playlist), playlist, playlist.left);
  const length = totals.songs === entryCount(playlist) ? "of music" : `of music in ${count(totals.songs, "song")}`;
  const inAndOut = entered || left ? [signedCell(entered, "+", "up"), " ", signedCell(left, "−", "down")] : ["none"];
  return tiles([
    [`entries on ${shortDate(newestDay(playlist))}`, num(entryCount(playlist))],
    totals.seconds > 0 && [length, hours(totals.seconds)],
    playlist.days.length > 1 && ["in and out, seven days", ...inAndOut],
    totals.songs > 0 && ["explicit", percent(totals.explicit, totals.songs)],
    totals.years.length > 0 && ["median release year", String(medianYear(totals.years))],
    [
      `snapshot${playlist.days.length === 1 ? " on" : "s since"} ${shortDate(playlist.days[0])}`,
      num(playlist.days.length),
    ],
  ]);
};

const playlistView = (playlist) => {
  const current = readEntries(playlist.entries).sort((a, b) => a.position - b.position);
  const parts = [playlistHead(playlist)];
  if (hasEnded(playlist)) {
    parts.push(
      el(
        "p",
        { class: "note" },
        `The last snapshot of this playlist is from ${longDate(newestDay(playlist))}. Everything below shows it as it was then.`,
      ),
    );
  }
  parts.push(playlistTiles(playlist));
  if (current.length) {
    const chart = positionsCard(playlist, current);
    parts.push(highlights(current), chart.section, entriesCard(playlist, current, chart));
  } else {
    parts.push(
      card(
        "Positions over time",
        entryCount(playlist)
          ? "Spotify does not identify any of the entries, so their positions cannot be tracked."
          : "This playlist is empty. Songs appear here once a snapshot contains any.",
      ),
    );
  }
  parts.push(
    pair(flowCard([playlist]), eventsCard(playlist)),
    pair(...artistCards(readArtistSongs(playlist.artists), [playlist])),
    pair(yearsCard(playlist.totals.years), popularityCard(playlist.totals.popularity, playlist.totals.mean_popularity)),
  );
  return parts;
};
