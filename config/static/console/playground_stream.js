/* What the playground reads from its stream, and tells of it. */
"use strict";

/** The events of an answer. `keepAlive` is called for whatever arrives. */
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

/** Why there is no stream. */
async function refusalOf(response, texts) {
  try {
    return (await response.json()).error;
  } catch {
    // The login page, or that of a failed check against forgery: both mean the session is over.
    const isOver = response.status === 403 || response.redirected;
    return { message: `HTTP ${response.status}.`, advice: isOver ? texts.loggedOut : texts.lost };
  }
}

function seconds(ms) {
  return (ms / 1000).toFixed(1);
}

function note(text, tone, symbol) {
  const made = element("p", `c-note ${tone}`);
  made.append(icon(symbol), text);
  return made;
}

/** A line with the tokens and times of an answer. */
function figuresOf(event, counted, texts) {
  const usage = counted ?? { prompt_tokens: 0, completion_tokens: 0 };
  const line = fill(texts.figures, {
    in: usage.prompt_tokens.toLocaleString(), out: usage.completion_tokens.toLocaleString(),
    first: seconds(event.first_token_ms ?? event.ms), all: seconds(event.ms), rounds: event.rounds,
  });
  return usage.is_estimated ? `${line} (${texts.estimated})` : line;
}
