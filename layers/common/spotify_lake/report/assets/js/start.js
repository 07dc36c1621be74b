// Navigation, light and dark colors, and the start of the page.

playlists.sort((a, b) => collator.compare(a.name, b.name));
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const picker = document.getElementById("picker");

const viewOf = (name, key, title, make) => ({ name, key, hash: address(name, key), title, make });
// The views in the navigation; those of songs and artists are made when they are opened.
const views = [
  viewOf("overview", "", "All playlists", () => (playlists.length ? overview() : emptyView())),
  ...(listening ? [viewOf("listening", "", "Listening", listeningView)] : []),
  ...(charts ? [viewOf("charts", "", "Charts", chartsView)] : []),
  ...playlists.map((playlist) => ({
    ...viewOf("playlist", playlist.key, playlist.name, () => playlistView(playlist)),
    playlist,
  })),
];
/** The newest view of the navigation that was shown, where the view of a song or artist leads back to. */
const listShown = { hash: views[0].hash, name: views[0].title };
const isDetail = (view) => !views.includes(view);

/** The view that the address names, or the first one. */
const findView = () => {
  const { view: name, key } = readAddress();
  const view = views.find((one) => one.name === name && one.key === key);
  if (view) return view;
  const kinds = { playlist: [playlistsByKey], song: [songsByKey, songView], artist: [artistsByKey, artistView] };
  if (!Object.hasOwn(kinds, name)) return views[0];
  const [byKey, make] = kinds[name];
  const subject = byKey.get(key);
  if (!subject) return viewOf(name, key, "Not in the report", () => unknownView(name));
  return viewOf(name, key, subject.name, () => make(subject));
};

// Where each address was scrolled to: the back button and the link back return to the same place.
const scrolled = new Map();
let isReturning = false;
const returnToList = () => {
  isReturning = true;
};
addEventListener("scroll", () => scrolled.set(shown.hash, scrollY), { passive: true });

/** In the picker, a song or artist has an option while it is shown. */
const detailOption = el("option", {});
const showInPicker = (view) => {
  detailOption.remove();
  if (isDetail(view)) {
    detailOption.value = view.hash;
    detailOption.textContent = view.title;
    picker.prepend(detailOption);
  }
  picker.value = view.hash;
};

/** Show what the address names. */
const show = () => {
  const before = shown.view;
  const view = findView();
  const place = scrolled.get(location.hash || view.hash);
  const goesBack = isReturning || Boolean(history.state?.shown);
  isReturning = false;
  if (before && !isDetail(before)) listShown.hash = shown.hash;
  shown.view = view;
  shown.hash = location.hash || view.hash;
  if (!isDetail(view)) listShown.name = view.title;
  destroyPlots();
  main.replaceChildren(...view.make().flat().filter(Boolean));
  drawPlots();
  nav
    .querySelectorAll("a")
    .forEach((a) =>
      a.getAttribute("href") === view.hash ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current"),
    );
  showInPicker(view);
  document.title = [view === views[0] ? null : view.title, "Spotify Lake", content.last && longDate(lastDay)]
    .filter(Boolean)
    .join(" · ");
  keepAddress("replaceState");
  if (!before) return;
  scrollTo(0, goesBack ? (place ?? 0) : 0);
  main.focus({ preventScroll: true });
};

const showNavigation = () => {
  const size = (playlist) =>
    el("span", { "aria-label": count(entryCount(playlist), "entry", "entries") }, num(entryCount(playlist)));
  picker.append(...views.map(({ hash, title }) => el("option", { value: hash }, title)));
  picker.addEventListener("change", () => {
    location.hash = picker.value;
  });
  if (views.length < 2) {
    picker.closest(".picker").hidden = true;
    return;
  }
  nav.append(
    el(
      "ul",
      { role: "list" },
      views.map(({ hash, title, playlist }) =>
        el("li", {}, el("a", { href: hash }, isolated(title), playlist && size(playlist))),
      ),
    ),
  );
};
// The address of the skip link does not name a view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

// The system setting applies until the button is used. The button also works in browsers that do not store anything.
const themeButton = document.getElementById("theme");
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const storeTheme = (theme) => {
  try {
    localStorage.setItem("theme", theme);
  } catch {
    /* the choice lasts until the page is closed */
  }
};
const storedTheme = () => {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
};
const showTheme = () => {
  themeButton.textContent = isDark() ? "Light" : "Dark";
  themeButton.setAttribute("aria-label", isDark() ? "Change to light colors" : "Change to dark colors");
  applyTheme();
  redrawPlots();
};
if (["light", "dark"].includes(storedTheme())) root.dataset.theme = storedTheme();
themeButton.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  storeTheme(root.dataset.theme);
  showTheme();
});
system.addEventListener("change", showTheme);
narrow.addEventListener("change", redrawPlots);
// Paper is white: the style sheet's dark colors are for screens only, and charts are drawn again in light ones.
matchMedia("print").addEventListener("change", showTheme);
addEventListener("beforeprint", () => root.toggleAttribute("data-print", true) && showTheme());
addEventListener("afterprint", () => {
  root.removeAttribute("data-print");
  showTheme();
});

showNavigation();
const when = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }).format(
  new Date(generatedAt),
);
document
  .getElementById("footer")
  .append(
    `Made on ${when} UTC by Spotify Lake from Spotify data. Not affiliated with Spotify. This page does not contact any server. Charts drawn with Chart.js.`,
  );
addEventListener("hashchange", show);
showTheme();
show();
root.dataset.ready = "";
