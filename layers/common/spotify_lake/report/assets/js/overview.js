// The view of all playlists.

const sparkline = (playlist) => {
  const { counts, days } = playlist;
  if (counts.length < 2) return null;
  const low = Math.min(...counts);
  const high = Math.max(...counts);
  const span = newestDay(playlist) - days[0];
  const points = counts.map((value, number) => [
    (84 * (days[number] - days[0])) / span,
    high === low ? 11 : 20 - (18 * (value - low)) / (high - low),
  ]);
  return svg(
    "svg",
    { class: "spark", viewBox: "0 0 84 22", "aria-hidden": "true", preserveAspectRatio: "none" },
    svg("path", { d: `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}` }),
  );
};

const playlistsCard = () => {
  const entered = (p) => weekUpTo(lastDay, p, p.entered);
  const left = (p) => weekUpTo(lastDay, p, p.left);
  const nameCell = (p) => [
    el("b", {}, playlistLink(p)),
    p.owner && el("span", { class: "by" }, isolated(p.owner)),
    hasEnded(p) && el("span", { class: "by down" }, `not seen since ${shortDate(newestDay(p))}`),
  ];
  const table = sortable(
    "Playlists",
    [
      { label: "Playlist", head: true, value: (p) => p.name, cell: nameCell },
      { label: "Entries", number: true, value: entryCount, cell: (p) => num(entryCount(p)) },
      { label: "Entries over time", unsorted: true, cell: sparkline },
      {
        label: "In, 7 days",
        title: `Entered in the seven days up to ${longDate(lastDay)}`,
        number: true,
        value: entered,
        cell: (p) => signedCell(entered(p), "+", "up"),
      },
      {
        label: "Out, 7 days",
        title: `Left in the seven days up to ${longDate(lastDay)}`,
        number: true,
        value: left,
        cell: (p) => signedCell(left(p), "−", "down"),
      },
      {
        label: "Length",
        title: "Of its songs, each counted once",
        number: true,
        value: (p) => p.totals.seconds,
        cell: (p) => (p.totals.seconds ? hours(p.totals.seconds) : "–"),
      },
      { label: "Median year", number: true, value: (p) => medianYear(p.totals.years) },
      {
        label: "Explicit",
        number: true,
        value: ({ totals }) => (totals.songs ? totals.explicit / totals.songs : null),
        cell: ({ totals }) => percent(totals.explicit, totals.songs),
      },
      content.totals.popularity && {
        label: "Popularity",
        title: "Mean of Spotify's popularity score",
        number: true,
        value: (p) => p.totals.mean_popularity,
      },
      { label: "Snapshots", number: true, value: (p) => p.days.length, cell: (p) => num(p.days.length) },
    ],
    playlists,
    { name: "playlists", limit: 30, search: (p) => p.name },
  );
  return card("Playlists", null, table.filter, table.table);
};

const aboutCard = () =>
  card(
    "About these numbers",
    null,
    null,
    el(
      "p",
      {},
      "The numbers come from the lake's tables, queried through Athena. If a day has several snapshots, only the last one counts. Entries are identified by their song: a song that appears twice in a playlist counts once, at its better position. Entries that Spotify no longer identifies are included only in the number of entries. A song by several artists counts for each of them. The totals of all playlists count a song once, however many playlists it is in. “In” and “out” compare each snapshot with the previous one, even if there are days between them.",
    ),
    el(
      "p",
      {},
      "Positions are shown for every one of the last 92 days, and for one snapshot a week before that. ",
      content.totals.popularity
        ? null
        : "Spotify does not share popularity with apps registered after February 2026, so this page does not show it.",
    ),
  );

const overview = () => {
  const total = (value) => sum(playlists.map(value));
  const entered = total((p) => weekUpTo(lastDay, p, p.entered));
  const left = total((p) => weekUpTo(lastDay, p, p.left));
  const age = Math.floor((Date.parse(generatedAt) - Date.parse(content.last)) / DAY_MS);
  const { songs: different, seconds, explicit, years, popularity, mean_popularity: mean } = content.totals;
  return [
    el(
      "div",
      { class: "head" },
      el("h1", {}, "All playlists"),
      el(
        "p",
        {},
        `${count(playlists.length, "playlist")} with ${count(total(entryCount), "entry", "entries")} on ${longDate(lastDay)}. In the seven days up to then, ${num(entered)} entered and ${num(left)} left.`,
      ),
      age > 2 &&
        el("p", { class: "muted" }, `The newest snapshot was ${count(age, "day")} old when this page was made.`),
    ),
    tiles([
      ["different songs", num(different)],
      ["different artists", num(content.different_artists)],
      ["of music, each song once", hours(seconds)],
      ["of these songs explicit", percent(explicit, different)],
      ["median release year", String(medianYear(years) ?? "–")],
      [lastDay ? `days since ${shortDate(0)}` : `day (${shortDate(0)})`, num(lastDay + 1)],
    ]),
    playlistsCard(),
    flowCard(playlists),
    pair(...artistCards(readArtistSongs(content.top_artists), playlists)),
    pair(yearsCard(years), popularityCard(popularity, mean)),
    aboutCard(),
  ];
};

const emptyView = () => [
  el(
    "section",
    { class: "card center" },
    el("h1", {}, "No snapshots yet"),
    el("p", {}, "The lake is deployed and Athena works, but no playlist has been collected yet."),
    el(
      "p",
      {},
      "Sign in with ",
      el("code", {}, "./lake login"),
      ", wait for the daily run or invoke the extract function, then write this page again with ",
      el("code", {}, "./lake report"),
      ".",
    ),
  ),
];
