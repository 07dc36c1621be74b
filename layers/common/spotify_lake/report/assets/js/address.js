// The address of what is shown, in the fragment: a view, and the choices made in it.
// "#playlist=37i9dQZF1DXcBWIGoYBM5M&days=30" is the view of a playlist with a period of 30 days.

const fragment = (pairs) => `#${new URLSearchParams(pairs).toString().replace(/=(?=&|$)/g, "")}`;
/** The address of a view. Playlists, songs and artists also have a key. */
const address = (view, key = "") => fragment([[view, key]]);

const readAddress = () => {
  const [[view, key] = ["", ""], ...choices] = new URLSearchParams(location.hash.slice(1));
  return { view, key, choices };
};
const getChoices = (name) =>
  readAddress()
    .choices.filter(([other]) => other === name)
    .map(([, value]) => value);
/** The value of a choice in the address; null if there is none. */
const getChoice = (name) => getChoices(name)[0] ?? null;

/** What the page shows now: its address, and whether it is a place to return to from the view of a song or artist. */
const shown = { hash: "", view: null };
const keepAddress = (change) => {
  history[change]({ shown: true }, "", shown.hash);
};

/**
 * Store a choice in the address without building the view again. null or an empty list removes it.
 * With `step`, the back button undoes the choice.
 */
const setChoice = (name, value, { step = false } = {}) => {
  const others = readAddress().choices.filter(([other]) => other !== name);
  const values = [value ?? []].flat().map((one) => [name, one]);
  const hash = fragment([[shown.view.name, shown.view.key], ...others, ...values]);
  if (hash === shown.hash) return;
  shown.hash = hash;
  keepAddress(step ? "pushState" : "replaceState");
};
