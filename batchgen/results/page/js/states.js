// What can become of a job, in a person's words: [label, tone, icon].

const STATES = {
  succeeded: ["Films", "good", "film"],
  running: ["Running", "busy", "wait"],
  queued: ["Queued", "busy", "wait"],
  submitted: ["Submitted", "busy", "wait"],
  submitting: ["Submitting", "busy", "wait"],
  not_submitted: ["Not submitted", "idle", "wait"],
  overdue: ["Overdue", "warn", "wait"],
  in_doubt: ["In doubt", "warn", "alert"],
  changed: ["Row changed", "warn", "alert"],
  failed: ["Failed", "bad", "cross"],
  rejected: ["Refused by the service", "bad", "cross"],
  cancelled: ["Cancelled", "bad", "cross"],
  expired: ["Expired", "bad", "cross"],
  empty: ["Done without a video", "warn", "alert"],
  gone: ["No longer in the sheet", "idle", "film"],
  invalid: ["Row has a problem", "bad", "alert"],
};
const stateLabel = (state) => (STATES[state] || [state])[0];
const stateTone = (state) => (STATES[state] || ["", "idle"])[1];
const stateIcon = (state) => (STATES[state] || ["", "", "wait"])[2];


/** Text with `words` set in code, a command with a button that copies it. */
function withCode(text) {
  return text.split("`").map((part, place) => (place % 2 ? [make("code", {}, part), part.startsWith("batchgen ") ? copier(part) : null] : part));
}

/** A button that puts `text` on the clipboard; where a page may not (from disk, in some browsers), it selects it. */
function copier(text) {
  const button = make("button", { type: "button", class: "copy", "aria-label": `Copy: ${text}`, title: "Copy" }, icon("copy"));
  button.addEventListener("click", async (event) => {
    event.stopPropagation();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      if (!document.execCommand("copy")) return;
    }
    button.replaceChildren(icon("check"));
    setTimeout(() => button.replaceChildren(icon("copy")), 1500);
  });
  return button;
}
