// Formats dates, numbers and names.

const dateFormat = (options) => {
  const formatter = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
  return (day) => formatter.format(dateOf(day));
};
const longDate = dateFormat({ day: "numeric", month: "long", year: "numeric" });
const shortDate = dateFormat({ day: "numeric", month: "short", year: "numeric" });
const dayMonth = dateFormat({ day: "numeric", month: "short" });
const monthYear = dateFormat({ month: "short", year: "numeric" });

const integers = new Intl.NumberFormat("en-GB");
const num = (value) => integers.format(value);
const count = (value, one, many = `${one}s`) => `${num(value)} ${value === 1 ? one : many}`;
const percent = (part, whole) =>
  whole ? `${((100 * part) / whole).toFixed(part && part / whole < 0.1 ? 1 : 0)}%` : "–";
const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
const hours = (seconds) => (seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`);

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const artistNames = (song) => song.artists.map((artist) => artist.name).join(", ");
const truncate = (text, length) => (text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text);
