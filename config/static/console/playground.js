/* The playground: a chat with an assistant. All texts of models and tools become text nodes. */
"use strict";

const playground = document.getElementById("playground");
if (playground) setUpPlayground(playground.dataset);

function setUpPlayground(texts) {
  const [log, question, send, stop, store, chosen] =
    ["log", "question", "send", "stop", "store", "assistant"].map((id) => document.getElementById(id));
  const token = playground.querySelector("[name=csrfmiddlewaretoken]").value;
  let messages = [];
  let running = null;

  function seconds(ms) {
    return (ms / 1000).toFixed(1);
  }

  function follow(change) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    change();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  function note(text, tone, symbol) {
    const made = element("p", `c-note ${tone}`);
    made.append(icon(symbol), text);
    return made;
  }

  function told(text) {
    document.getElementById("status").textContent = text;
  }

  /* --- one answer --- */

  class Answer {
    constructor(name) {
      this.text = "";
      this.calls = new Map();
      this.usage = null;
      this.isOver = false;
      this.node = element("article", "c-message c-answer");
      this.node.append(element("h3", "", name));
      this.part = null;
    }

    append(node) {
      follow(() => this.node.append(node));
    }

    handle(event) {
      const handler = this[`on_${event.type}`];
      if (handler) follow(() => handler.call(this, event));
    }

    on_started(event) {
      this.runId = event.run_id;
    }

    on_text({ text }) {
      if (!this.part) {
        this.part = { text: "", node: element("div", "c-markdown") };
        this.node.append(this.part.node);
      }
      this.part.text += text;
      this.text += text;
      this.schedule();
    }

    schedule() {
      if (this.timer) return;
      // A long answer is rendered less often: the cost of all renderings stays small.
      const delay = Math.min(2000, 60 + this.part.text.length / 50);
      this.timer = setTimeout(() => { this.timer = null; follow(() => this.renderPart()); }, delay);
    }

    renderPart() {
      this.part?.node.replaceChildren(...renderMarkdown(this.part.text));
    }

    endPart() {
      clearTimeout(this.timer);
      this.timer = null;
      this.renderPart();
      this.part = null;
    }

    on_reasoning({ text }) {
      if (!this.reasoning) {
        const details = element("details", "c-call");
        details.append(element("summary", "", texts.thinking));
        this.reasoning = element("p", "c-plain", "");
        details.append(this.reasoning);
        this.node.append(details);
      }
      this.reasoning.append(text);
    }

    on_tool_started(event) {
      this.endPart();
      this.reasoning = null;
      const details = element("details", "c-call");
      const summary = element("summary");
      const state = pill(texts.calling, "progress_activity", "info");
      summary.append(icon("build"), element("code", "c-grow", `${event.server} · ${event.function}`), state);
      details.append(summary, element("h4", "", texts.arguments), element("pre", "", event.arguments));
      this.node.append(details);
      this.calls.set(event.id, { details, state });
    }

    on_tool_finished(event) {
      const call = this.calls.get(event.id);
      if (!call) return;
      const isOk = event.status === "ok";
      this.showState(call.state, isOk ? texts.done : texts.failed, isOk);
      call.state.after(element("span", "c-help", fill(texts.seconds, { n: seconds(event.ms) })));
      const heading = element("h4", "", event.error ? `${texts.result} (${event.error})` : texts.result);
      call.details.append(heading, element("pre", "", event.result || texts.noResult));
      call.isOver = true;
    }

    showState(state, word, isOk) {
      state.className = `pill ${isOk ? "pill-success" : "pill-danger"}`;
      state.replaceChildren(icon(isOk ? "check_circle" : "error"), element("span", "pill-word", word));
    }

    on_usage(event) {
      this.usage = event;
    }

    on_finished(event) {
      this.endPart();
      this.isOver = true;
      if (event.reason === "length") this.node.append(note(texts.cut, "c-warning", "content_cut"));
      if (event.reason === "content_filter") this.node.append(note(texts.filtered, "c-warning", "block"));
      for (const each of event.unavailable) {
        this.node.append(note(fill(texts.unavailable, each), "c-warning", "cloud_off"));
      }
      const line = element("p", "c-help c-figures-line", this.figures(event));
      this.node.append(line);
      this.link(line);
      told(texts.finished);
    }

    figures(event) {
      const usage = this.usage ?? { prompt_tokens: 0, completion_tokens: 0 };
      const line = fill(texts.figures, {
        in: usage.prompt_tokens.toLocaleString(), out: usage.completion_tokens.toLocaleString(),
        first: seconds(event.first_token_ms ?? event.ms), all: seconds(event.ms), rounds: event.rounds,
      });
      return usage.is_estimated ? `${line} (${texts.estimated})` : line;
    }

    link(line) {
      if (!this.runId) return;
      const link = element("a", "", texts.run);
      link.href = `${texts.runs}?q=${encodeURIComponent(this.runId)}`;
      line.append(" ", link);
    }

    on_error(event) {
      this.end(note(`${event.message} ${event.advice}`, "c-danger", "error"));
      told(event.message);
    }

    end(node) {
      this.endPart();
      this.isOver = true;
      for (const call of this.calls.values()) {
        if (!call.isOver) this.showState(call.state, texts.stopped, false);
      }
      this.append(node);
      this.link(node);
    }
  }

  /* --- the stream --- */

  async function* eventsOf(response, keepAlive) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      keepAlive();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) if (part.startsWith("data: ")) yield JSON.parse(part.slice(6));
    }
  }

  async function refusal(response) {
    try {
      return (await response.json()).error;
    } catch {
      // The login page, or that of a failed check against forgery: both mean the session is over.
      const isOver = response.status === 403 || response.redirected;
      return { message: `HTTP ${response.status}.`, advice: isOver ? texts.loggedOut : texts.lost };
    }
  }

  async function answerTo(controller, answer, content) {
    let silence;
    const keepAlive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => controller.abort("silence"), Number(texts.silence) * 1000);
    };
    keepAlive();
    try {
      const response = await fetch(texts.url, {
        method: "POST", signal: controller.signal, body: JSON.stringify(content),
        headers: { "content-type": "application/json", "x-csrftoken": token },
      });
      if (!response.ok || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
        return answer.on_error(await refusal(response));
      }
      for await (const event of eventsOf(response, keepAlive)) answer.handle(event);
      if (!answer.isOver) answer.end(note(texts.lost, "c-danger", "cloud_off"));
    } catch {
      if (answer.isOver) return;
      const isStopped = controller.signal.reason === "stop";
      answer.end(isStopped ? note(texts.stopped, "", "stop_circle") : note(texts.lost, "c-danger", "cloud_off"));
      told(isStopped ? texts.stopped : texts.lost);
    } finally {
      clearTimeout(silence);
    }
  }

  /* --- the page --- */

  function nameOfAssistant() {
    return chosen.dataset.name ?? chosen.selectedOptions[0].textContent;
  }

  function setRunning(controller) {
    running = controller;
    send.hidden = Boolean(controller);
    stop.hidden = !controller;
    store.disabled = Boolean(controller);
    log.setAttribute("aria-busy", String(Boolean(controller)));
  }

  async function ask() {
    const text = question.value.trim();
    if (!text || running) return;
    document.getElementById("hint").hidden = true;
    question.value = "";
    messages.push({ role: "user", content: text });
    const mine = messages;
    const asked = element("article", "c-message c-question");
    asked.append(element("h3", "", texts.you), element("p", "c-plain", text));
    const answer = new Answer(nameOfAssistant());
    log.append(asked, answer.node);
    log.scrollTop = log.scrollHeight;
    told(texts.working);
    const controller = new AbortController();
    setRunning(controller);
    await answerTo(controller, answer, { assistant: chosen.value, messages, store: store.checked });
    if (running === controller) setRunning(null);
    if (mine !== messages) return;
    if (answer.text) {
      messages.push({ role: "assistant", content: answer.text });
    } else {
      messages.pop();
      if (!question.value) question.value = text;
    }
    question.focus();
  }

  function begin() {
    running?.abort("stop");
    setRunning(null);
    messages = [];
    log.replaceChildren(document.getElementById("hint") ?? "");
    log.firstElementChild.hidden = false;
    question.focus();
  }

  const hint = document.getElementById("hint");
  document.getElementById("new").addEventListener("click", () => { log.prepend(hint); begin(); });
  chosen.addEventListener("change", () => { log.prepend(hint); begin(); });
  stop.addEventListener("click", () => running?.abort("stop"));
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  });
  playground.addEventListener("keydown", (event) => {
    if (event.key === "Escape") running?.abort("stop");
  });
}
