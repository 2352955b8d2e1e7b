// How things are shown, and small ways to build elements. Text goes in as text nodes only, never as markup.

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element with attributes and children; strings become text. Null children are left out. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same for SVG. */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

const icon = (name) => draw("svg", { "aria-hidden": "true" }, draw("use", { href: `#i-${name}` }));

const integer = new Intl.NumberFormat("en");
const number = (value) => (Number.isFinite(value) ? integer.format(value) : "–");
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

const dayAndTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const timeOnly = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const timeAndSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const moment = (seconds) => (Number.isFinite(seconds) ? dayAndTime.format(new Date(seconds * 1000)) : "–");
const exact = (seconds) => new Date(seconds * 1000).toISOString().replace(".000Z", "Z");

/** 8 -> "8 s", 100 -> "1 min 40 s", 7300 -> "2 h 1 min". */
function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole / 60} min`;
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
}

/** Only http and https become links. */
const webLink = (url) => (/^https?:\/\//i.test(url) ? url : null);

/** `videos/a+2.mp4` as a relative URL: each part is escaped, so that no name can be an address. */
function fileLink(path) {
  const parts = path.split("/");
  if (!path || path.startsWith("/") || parts.includes("..")) return null;
  return parts.map(encodeURIComponent).join("/");
}

/** How far into a film: 3 -> "0:03". */
const clock = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

/** A calm colour that stays with a job: 0 to 359. */
function hue(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash >>> 0) % 360;
}

/** A pause after which the browser has drawn and taken input. */
const breath = () => new Promise((done) => setTimeout(done, 0));
