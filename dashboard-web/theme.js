// Sets the chosen theme before the first paint, so that nothing flashes. "system" leaves the choice to the browser.
(function () {
  var theme = null;
  try {
    theme = localStorage.getItem("vaultstream.theme");
  } catch (_) {
    // Storage may be switched off; the system's theme is right then.
  }
  if (theme === "light" || theme === "dark") {
    document.documentElement.setAttribute("data-theme", theme);
  }
})();
