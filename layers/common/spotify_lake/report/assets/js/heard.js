// What the page knows about plays: reads content.listening, and gives its songs and artists the keys of the others.
// Sums are lists by age; the sum of the first ones is a period.

const AGES_OF_ALL = content.listening ? content.listening.periods.length : 0;
/** The sum of a period: 0 is the shortest, AGES_OF_ALL has everything. */
const within = (values, period) => sum(values.slice(0, period + 1));
const monthAt = (number) => new Date(Date.UTC(Math.floor(number / 12), number % 12, 1));
const monthOf = (day) => dateOf(day).getUTCFullYear() * 12 + dateOf(day).getUTCMonth();
const monthName = (number) =>
  new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric", timeZone: "UTC" }).format(monthAt(number));

/** Return the plays. Their days are stored as days since 1970 and converted here to days of the report. */
const readListening = () => {
  const { listening } = content;
  const fromStart = (day) => day - start / DAY_MS;
  const heardArtists = readRows("HeardArtist", listening.artists).map((row) => ({
    ...row,
    artist: row.artist === null ? addArtist(row.name) : artists[row.artist],
    first: fromStart(row.first),
    last: fromStart(row.last),
    months: expand(row.months),
  }));
  const artistOf = new Map(heardArtists.map((row) => [row.name.toLowerCase(), row.artist]));
  const heardSongs = readRows("HeardSong", listening.songs).map((row) => ({
    ...row,
    same: row.songs.map((number) => songs[number]),
    song: row.songs.length ? songs[row.songs[0]] : addSong(row, artistOf),
    first: fromStart(row.first),
    last: fromStart(row.last),
    months: expand(row.months),
  }));
  return {
    ...listening,
    first: fromStart(listening.first),
    last: fromStart(listening.last),
    seconds: expand(listening.seconds),
    estimated: expand(listening.estimated),
    plays: expand(listening.plays),
    hours: listening.hours.map(expand),
    kinds: readRows("HeardKind", listening.kinds),
    albums: readRows("HeardAlbum", listening.albums).map((row) => ({
      ...row,
      artist: artistOf.get(row.by?.toLowerCase()) ?? null,
    })),
    songs: heardSongs,
    artists: heardArtists,
    newSongs: expand(listening.new_songs),
    newArtists: expand(listening.new_artists),
    lists: readRows("PlayedList", listening.lists).map((row) => ({ ...row, playlist: playlists[row.playlist] })),
    never: readRows("NeverPlayed", listening.never).map((row) => ({
      song: songs[row.song],
      playlists: row.playlists.map((number) => playlists[number]),
    })),
    gaps: readRows("Gap", listening.gaps).map((row) => ({
      ...row,
      first: fromStart(row.first),
      last: fromStart(row.last),
    })),
  };
};

/** Exports name artists without an id. */
const addArtist = (name) => {
  if (!artistsByKey.has(name)) artistsByKey.set(name, { id: null, name, key: name });
  return artistsByKey.get(name);
};
const addSong = ({ id, name, by }, artistOf) => {
  const key = id || [name || "Untitled", by].filter(Boolean).join(" by ");
  if (!songsByKey.has(key)) {
    const artist = artistOf.get(by?.toLowerCase());
    const known = { id, name: name || "Untitled", by, kind: "song", album: null };
    songsByKey.set(key, { ...known, key, artists: artist ? [artist] : [] });
  }
  return songsByKey.get(key);
};

const listening = content.listening ? readListening() : null;

/** The plays of a song, under all its titles and ids; null without any. */
const playsOfSong = (song) => {
  const rows = listening ? listening.songs.filter((row) => row.song === song || row.same.includes(song)) : [];
  return rows.length ? together(rows) : null;
};
const playsOfArtist = (artist) => {
  const rows = listening ? listening.artists.filter((row) => row.artist === artist) : [];
  return rows.length ? together(rows) : null;
};
const together = (rows) => {
  const counted = rows.filter((row) => row.months.length);
  const start = lowest(counted.map((row) => row.start));
  const end = highest(counted.map((row) => row.start + row.months.length));
  return {
    plays: sum(rows.map((row) => within(row.plays, AGES_OF_ALL))),
    seconds: sum(rows.map((row) => within(row.seconds, AGES_OF_ALL))),
    estimated: sum(rows.map((row) => within(row.estimated, AGES_OF_ALL))),
    first: lowest(rows.map((row) => row.first)),
    last: highest(rows.map((row) => row.last)),
    start,
    months: Array.from({ length: counted.length ? end - start : 0 }, (_, number) =>
      sum(counted.map((row) => row.months[start + number - row.start] ?? 0)),
    ),
  };
};
