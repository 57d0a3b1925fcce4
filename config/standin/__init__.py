"""The offline stand-in for an LLM service: it speaks the OpenAI protocol, and only matches words.

`app` serves it, `answers` decides on an answer: `tool_matching` finds the tools that a message asks for and
`argument_filling` their arguments, from what `stated_values` and `time_zones` read in the message.
`serialization` has the shapes of the OpenAI API. Decision record 0017 says why there is one.
"""
