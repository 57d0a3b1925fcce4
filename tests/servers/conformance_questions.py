"""The tools of conformance.py that ask their client before they answer."""

from conformance_asking import form, roots, sampling
from conformance_tools import DEFAULTS, ENUMS, STRING, Answer, Call, needs, tool

NAME = form("What is your name?", name=STRING)
CONFIRM = form("Please confirm", ok={"type": "boolean"})
CAPITAL = sampling("What is the capital of France?")


def outcome(answer: object) -> str:
    return f"Elicitation completed: action={answer.action}, content={answer.content}"


@tool(needs(prompt=STRING))
async def test_sampling(call: Call) -> Answer:
    """Asks the client's model."""
    answers = await call.ask(answer=sampling(call.arguments["prompt"]))
    return f"LLM response: {answers['answer'].content.text}"


@tool(needs(message=STRING))
async def test_elicitation(call: Call) -> Answer:
    """Asks the user who they are."""
    question = form(
        call.arguments["message"],
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    )
    answer = (await call.ask(user=question))["user"]
    return f"User response: action={answer.action}, content={answer.content}"


@tool()
async def test_elicitation_sep1034_defaults(call: Call) -> Answer:
    """Asks for values that have defaults."""
    answers = await call.ask(values=form("Please review these values", **DEFAULTS))
    return outcome(answers["values"])


@tool()
async def test_elicitation_sep1330_enums(call: Call) -> Answer:
    """Asks for choices among options of each kind."""
    answers = await call.ask(choices=form("Please choose", **ENUMS))
    return outcome(answers["choices"])


@tool()
async def test_streaming_elicitation(call: Call) -> Answer:
    """Asks the user to confirm."""
    return outcome((await call.ask(confirm=CONFIRM))["confirm"])


@tool()
async def test_missing_capability(call: Call) -> Answer:
    """Needs a client that offers a model."""
    answers = await call.ask(answer=CAPITAL)
    return f"LLM response: {answers['answer'].content.text}"


@tool()
async def test_input_required_result_elicitation(call: Call) -> Answer:
    """Greets the user."""
    answer = (await call.ask(user_name=NAME))["user_name"]
    return f"Hello, {(answer.content or {}).get('name')}!"


@tool()
async def test_input_required_result_sampling(call: Call) -> Answer:
    """Asks the client's model for a capital."""
    return (await call.ask(capital_question=CAPITAL))["capital_question"].content.text


@tool()
async def test_input_required_result_list_roots(call: Call) -> Answer:
    """Names the client's folders."""
    folders = (await call.ask(client_roots=roots()))["client_roots"].roots
    return f"Roots: {', '.join(str(folder.uri) for folder in folders)}"


@tool()
async def test_input_required_result_request_state(call: Call) -> Answer:
    """Gives a state that the retry brings back."""
    await call.ask("confirming", confirm=CONFIRM)
    return f"state-ok: {call.params.request_state}"


@tool()
async def test_input_required_result_tampered_state(call: Call) -> Answer:
    """Gives a state that nobody else may change."""
    await call.ask("confirming", confirm=CONFIRM)
    return "Confirmed."


@tool()
async def test_input_required_result_multiple_inputs(call: Call) -> Answer:
    """Asks for everything at once."""
    questions = {"user_name": NAME, "greeting": sampling("Generate a greeting"), "client_roots": roots()}
    answers = await call.ask("greeting", **questions)
    return f"{answers['greeting'].content.text} {(answers['user_name'].content or {}).get('name')}"


@tool()
async def test_input_required_result_multi_round(call: Call) -> Answer:
    """Asks twice, one after the other."""
    state = call.params.request_state or "name"
    if state == "name":
        answer = (await call.ask("name", step1=form("Step 1: What is your name?", name=STRING)))["step1"]
        state = f"color of {(answer.content or {}).get('name')}"
    question = form("Step 2: What is your favorite color?", color=STRING)
    answer = (await call.ask(state, step2=question))["step2"]
    return f"The {state}: {(answer.content or {}).get('color')}"


@tool()
async def test_input_required_result_capabilities(call: Call) -> Answer:
    """Asks only for what the client says that it can answer."""
    questions = {"sampling": ("question", CAPITAL), "elicitation": ("user_name", NAME)}
    wanted = dict(question for capability, question in questions.items() if call.declares(capability))
    if wanted:
        await call.ask(**wanted)
    return f"Asked for: {', '.join(wanted) or 'nothing'}"
