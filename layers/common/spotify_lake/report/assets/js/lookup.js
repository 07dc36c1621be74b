// Finds songs and artists by the key in an address, and what the page knows about each.

/**
 * Give each item a key for addresses: its Spotify id, or its name, numbered if several have the same name.
 * Unlike its index, neither changes when the page is written again.
 */
const addKeys = (items) => {
  const found = new Map();
  const numbers = new Map(); // the last one of each name
  for (const item of items) {
    const name = item.id || item.name;
    let key = name;
    let number = numbers.get(name) ?? 1;
    while (found.has(key)) key = `${name} (${++number})`;
    numbers.set(name, number);
    item.key = key;
    found.set(key, item);
  }
  return found;
};
const playlistsByKey = addKeys(playlists);
const songsByKey = addKeys(songs);
const artistsByKey = addKeys(artists);
const charts = content.charts ? readCharts() : null;

/** Charts name artists without an id. A name that several artists in the playlists share is none of them. */
const findByName = () => {
  const byName = new Map();
  for (const artist of artists) {
    const name = artist.name.toLowerCase();
    byName.set(name, byName.has(name) ? null : artist);
  }
  return byName;
};
/** Give the songs and artists of the charts the keys of those in the playlists, or keys of their own. */
const addChartKeys = () => {
  const byName = findByName();
  for (const song of charts.songs) {
    song.key = song.id || [song.name, song.by].filter(Boolean).join(" by ");
    if (!songsByKey.has(song.key)) songsByKey.set(song.key, { artists: [], kind: "song", album: null, ...song });
  }
  for (const artist of charts.regions.flatMap((region) => region.artists)) {
    artist.key = byName.get(artist.name.toLowerCase())?.key ?? artist.name;
    if (!artistsByKey.has(artist.key)) artistsByKey.set(artist.key, { id: null, name: artist.name, key: artist.key });
  }
};
if (charts) addChartKeys();

const songLink = (song) => el("a", { href: address("song", song.key) }, isolated(song.name));
const artistLink = (artist) => el("a", { href: address("artist", artist.key) }, isolated(artist.name));
const playlistLink = (playlist) => el("a", { href: address("playlist", playlist.key) }, isolated(playlist.name));
const artistLinks = (some) => some.flatMap((artist, number) => [number ? ", " : null, artistLink(artist)]);

/** The entries of some songs, with their playlists: [{ playlist, entry }]. */
const standingsOf = (wanted) => {
  const numbers = new Set(wanted.map((song) => songs.indexOf(song)));
  const at = columns.Entry.indexOf("song");
  return playlists.flatMap((playlist) =>
    readEntries([...playlist.entries, ...playlist.former].filter((row) => numbers.has(row[at]))).map((entry) => ({
      playlist,
      entry,
    })),
  );
};

/**
 * Everything the page knows about a song:
 * - song: { key, id, name, artists, album, … }, as in data.js
 * - standings: [{ playlist, entry }], one per playlist
 * - charted: [{ region, row }], one per region with a chart that lists the song
 * - plays: { plays, seconds, estimated, first, last, start, months }, as in heard.js; null if it was never played
 */
const historyOfSong = (song) => ({
  song,
  plays: playsOfSong(song),
  standings: standingsOf([song]),
  charted: charts
    ? charts.regions.flatMap((region) =>
        region.songs.filter((row) => row.song.key === song.key).map((row) => ({ region, row })),
      )
    : [],
});

/**
 * Everything the page knows about an artist:
 * - artist: { key, id, name }
 * - songs: those on the page, whether or not they are still in a playlist
 * - standings: [{ playlist, entry }], one per playlist and song
 * - now: number of different songs in the playlists on the last day; null if the page does not know all of them
 * - charted: [{ region, row }], one per region with a chart that lists the artist among its first
 * - plays: as for a song
 */
const historyOfArtist = (artist) => {
  const own = songs.filter((song) => song.artists.includes(artist));
  const counted = readArtistSongs(content.top_artists).find((row) => row.artist === artist);
  return {
    artist,
    songs: own,
    standings: standingsOf(own),
    now: counted ? counted.now : null,
    plays: playsOfArtist(artist),
    charted: charts
      ? charts.regions.flatMap((region) =>
          region.artists.filter((row) => row.key === artist.key).map((row) => ({ region, row })),
        )
      : [],
  };
};
