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

  function follow(change) {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    change();
    if (isAtEnd) log.scrollTop = log.scrollHeight;
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
      this.call(event);
    }

    /** Shows a call of a tool. */
    call(event) {
      this.calls.get(event.id)?.details.remove(); // it is told anew where somebody has changed its arguments
      const details = element("details", "c-call");
      const summary = element("summary");
      const state = pill(texts.calling, "progress_activity", "info");
      summary.append(icon("build"), element("code", "c-grow", `${event.server} · ${event.function}`), state);
      details.append(summary);
      if (event.arguments !== undefined) details.append(element("h4", "", texts.arguments), element("pre", "", event.arguments));
      this.node.append(details);
      const call = { details, state };
      this.calls.set(event.id, call);
      return call;
    }

    /** A call that somebody must agree to: `state` is that of the approval. See playground_approval.js. */
    on_approval(event) {
      const call = this.calls.get(event.id);
      if (event.state === "waiting") {
        const waiting = call ?? this.call(event);
        waiting.approval = new ApprovalBox(event, texts, () => this.goOn(waiting));
        waiting.details.open = true;
        waiting.details.append(waiting.approval.node);
        setWord(waiting.state, texts.waits, "hourglass_top", "warning");
        told(texts.waits);
      } else if (call?.approval) {
        call.approval.end();
        setWord(call.state, texts.calling, "progress_activity", "info");
      }
    }

    /** After a decision: the run goes on by itself, or with the next message once it has ended. */
    goOn(call) {
      if (!this.isOver || running) return;
      const button = element("button", "c-button c-primary", texts.goOn);
      button.type = "button";
      button.addEventListener("click", () => { button.remove(); sendText(texts.goOnMessage); });
      call.approval.node.append(button);
      button.focus();
    }

    on_tool_finished(event) {
      const call = this.calls.get(event.id);
      if (!call) return;
      if (event.error === "approval_pending") {
        call.isOver = true;
        return;
      }
      call.approval?.end();
      const isOk = event.status === "ok";
      this.showState(call.state, isOk ? texts.done : texts.failed, isOk);
      call.state.after(element("span", "c-help", fill(texts.seconds, { n: seconds(event.ms) })));
      const heading = element("h4", "", event.error ? `${texts.result} (${event.error})` : texts.result);
      call.details.append(heading, element("pre", "", event.result || texts.noResult));
      call.isOver = true;
    }

    showState(state, word, isOk) {
      setWord(state, word, isOk ? "check_circle" : "error", isOk ? "success" : "danger");
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
      const line = element("p", "c-help c-figures-line", figuresOf(event, this.usage, texts));
      this.node.append(line);
      this.link(line);
      told(texts.finished);
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
        return answer.on_error(await refusalOf(response, texts));
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
    question.value = "";
    await sendText(text);
  }

  async function sendText(text) {
    document.getElementById("hint").hidden = true;
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
