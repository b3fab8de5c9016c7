// Reads two files and shows what the module says of them. Text is set as text, never as markup.
import init, { check } from "./%GLUE%";

const WORDS = {
  holds: "The proof holds",
  fails: "The proof does NOT hold",
  unclear: "Nothing was checked",
};
const MAX_BYTES = 8 * 1024 * 1024;
const at = (id) => document.getElementById(id);

function show(lines) {
  at("verdict").hidden = false;
  at("verdict").textContent = WORDS[lines[0]] ?? lines[0];
  at("facts").replaceChildren(
    ...lines.slice(1).map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
}

async function text(id) {
  const file = at(id).files[0];
  if (!file || file.size > MAX_BYTES) {
    throw new Error(`${at(id).labels[0].textContent}: choose a file of at most 8 MiB.`);
  }
  return file.text();
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    show(check(await text("proof"), await text("keys")).split("\n"));
  } catch (error) {
    show(["unclear", String(error.message ?? error)]);
  }
});

init({ module_or_path: new URL("%WASM%", import.meta.url) }).then(
  () => {
    at("go").disabled = false;
  },
  (error) => show(["unclear", `The module cannot be loaded: ${error}`]),
);
