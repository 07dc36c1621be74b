// Navigation, light and dark colors, and the start of the page.

playlists.sort((a, b) => collator.compare(a.name, b.name));
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const picker = document.getElementById("picker");

const address = (playlist) => `#playlist=${playlists.indexOf(playlist)}`;
const views = [
  { hash: "#overview", name: "All playlists", make: () => (playlists.length ? overview() : emptyView()) },
  ...(content.charts ? [{ hash: "#charts", name: "Charts", make: chartsView }] : []),
  ...playlists.map((playlist) => ({
    hash: address(playlist),
    name: playlist.name,
    playlist,
    make: () => playlistView(playlist),
  })),
];

/** Show the view that the address names, or the first one. */
const show = (moveFocus) => {
  const view = views.find(({ hash }) => hash === location.hash) || views[0];
  destroyPlots();
  main.replaceChildren(...view.make().filter(Boolean));
  drawPlots();
  nav
    .querySelectorAll("a")
    .forEach((a) =>
      a.getAttribute("href") === view.hash ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current"),
    );
  picker.value = view.hash;
  document.title = [view === views[0] ? null : view.name, "Spotify Lake", content.last && longDate(lastDay)]
    .filter(Boolean)
    .join(" · ");
  if (moveFocus) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
};

const showNavigation = () => {
  picker.closest(".picker").hidden = views.length < 2;
  if (views.length < 2) return;
  const size = (playlist) =>
    el("span", { "aria-label": count(entryCount(playlist), "entry", "entries") }, num(entryCount(playlist)));
  nav.append(
    el(
      "ul",
      { role: "list" },
      views.map(({ hash, name, playlist }) =>
        el("li", {}, el("a", { href: hash }, isolated(name), playlist && size(playlist))),
      ),
    ),
  );
  picker.append(...views.map(({ hash, name }) => el("option", { value: hash }, name)));
  picker.addEventListener("change", () => {
    location.hash = picker.value;
  });
};

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

showNavigation();
const when = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }).format(
  new Date(generatedAt),
);
document
  .getElementById("footer")
  .append(
    `Made on ${when} UTC by Spotify Lake from Spotify data. Not affiliated with Spotify. This page does not contact any server. Charts drawn with Chart.js.`,
  );
addEventListener("hashchange", () => show(true));
showTheme();
show(false);
root.dataset.ready = "";
