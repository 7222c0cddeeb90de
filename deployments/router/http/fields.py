"""The fields of a request that are a caller's to set, and those that are the operator's.

The lists are laar's own: a field that a new release of vLLM brings is unknown here until somebody has put it into one
of them. A contract test holds them against vLLM's request types and fails when vLLM gains or loses a field.
"""

from collections.abc import Mapping

_BOTH = frozenset(
    """
    model stream stream_options stream_interval n max_tokens temperature top_p top_k min_p seed stop stop_token_ids
    min_tokens frequency_penalty presence_penalty repetition_penalty repetition_detection length_penalty use_beam_search
    logit_bias bad_words allowed_token_ids ignore_eos logprobs logprob_token_ids prompt_logprobs echo response_format
    structured_outputs thinking_token_budget truncate_prompt_tokens truncation_side add_special_tokens
    skip_special_tokens spaces_between_special_tokens include_stop_str_in_output return_token_ids return_token_offsets
    return_tokens_as_token_ids routed_experts_prompt_start cache_salt session_id user
    """.split()
)
_CHAT = frozenset(
    """
    messages max_completion_tokens top_logprobs tools tool_choice parallel_tool_calls reasoning_effort
    include_reasoning documents chat_template_kwargs add_generation_prompt continue_final_message media_io_kwargs
    mm_processor_kwargs return_assistant_tokens_mask return_prompt_text
    """.split()
)
# by endpoint
OPEN_FIELDS: Mapping[str, frozenset[str]] = {
    "chat": _BOTH | _CHAT,
    "completions": _BOTH | {"prompt", "suffix"},
}
# OpenAI's fields that change nothing in an answer: they are taken, named in `laar.ignored`, and go no further.
IGNORED_FIELDS = frozenset(
    """
    metadata prediction prompt_cache_key prompt_cache_options prompt_cache_retention safety_identifier service_tier
    store
    """.split()
)
# OpenAI's fields that would change the answer in a way that no engine here can: by name, the value of each that asks
# for nothing, as JSON, and what to do instead. null asks for nothing either.
REFUSED_FIELDS: Mapping[str, tuple[object, str]] = {
    "audio": (None, "answers are text only"),
    "best_of": (1, "use n"),
    "function_call": (None, "use tool_choice"),
    "functions": (None, "use tools"),
    "modalities": (["text"], "answers are text only"),
    "moderation": (None, "answers are not moderated"),
    "verbosity": ("medium", "say in the prompt how long the answer should be"),
    "web_search_options": (None, "models do not search"),
}
# They reach into the engine itself, and so are the operator's.
CLOSED_FIELDS = frozenset(
    {
        "chat_template",
        "ec_transfer_params",
        "kv_transfer_params",
        "priority",
        "prompt_embeds",
        "request_id",
        "vllm_xargs",
    }
)
