"""The names that people give to columns: which known one is meant, which option, and what is theirs alone."""

import difflib
import re
from functools import lru_cache

from batchgen.job import REQUEST_KEYS, RESULT_COLUMNS

KNOWN = ("id", *REQUEST_KEYS)
OPTION_TYPES = ("text", "int", "float", "bool", "json")
#: Other names that people give to a column, in folded spelling (see `folded`).
ALIASES = {
    "images": "image_input", "image": "image_input", "image_url": "image_input", "image_urls": "image_input",
    "input_image": "image_input", "input_images": "image_input", "image_inputs": "image_input",
    "input_video": "video_input", "input_videos": "video_input", "video_inputs": "video_input",
    "source_video": "video_input", "prompts": "prompt", "prompt_text": "prompt",
    "models": "model", "scenes": "scene", "providers": "provider",
}  # fmt: skip
#: Columns of films: the input where a row needs one and has no other; elsewhere they say that it is made already.
FILMS = frozenset({"video", "videos", "video_url", "video_urls"})
#: Names of model options that people write without `options.`; such a column is kept, not sent, with a warning.
OPTION_NAMES = frozenset(
    {"duration", "duration_s", "duration_seconds", "video_length", "clip_length", "aspect_ratio", "ratio",
     "video_ratio", "resolution", "video_resolution", "size", "seed", "mode", "sound", "generate_audio",
     "with_audio",
     "enable_audio", "negative_prompt", "n_frames", "num_frames", "frame_rate", "fps", "cfg_scale",
     "guidance_scale",
     "num_inference_steps", "inference_steps", "motion_strength", "camera_fixed", "camera_motion", "camera_control",
     "multi_shots", "watermark", "prompt_optimizer", "enhance_prompt", "enable_safety_checker", "shot_type",
     "first_frame", "first_frame_url", "first_frame_image", "start_frame", "start_image", "start_image_url",
     "last_frame", "last_frame_url", "last_frame_image", "end_frame", "end_image", "end_image_url", "tail_image",
     "tail_image_url"}
)  # fmt: skip
#: What a column of prompts is called where it is not called so, likeliest first.
LIKE_PROMPT = ("caption", "captions", "description", "text", "instruction", "idea", "concept", "script", "shot",
               "scene_description", "beschreibung", "descripcion", "description_fr", "texte", "texto")  # fmt: skip
_AROUND = "_:*#!?\"'`“”„‟‘’‚«»"
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ANOTHER = re.compile(
    r"(?:input_|source_|reference_|ref_)?(?:images?|img|pictures?|photos?|videos?|clips?)"
    r"(?:_(?:urls?|inputs?|links?))?_?[0-9]{1,2}"
)


@lru_cache(maxsize=20_000)
def folded(name: str) -> str:
    """A name without what people put around and into it: `Scene:`, `Image URL *`, `“prompt”`, `imageUrl`."""
    return re.sub(r"[\s_\-.]+", "_", _CAMEL.sub("_", name).casefold()).strip(_AROUND)


def bare(name: str) -> str:
    """A name without a remark behind it: `Prompt (500 characters at most)`."""
    return re.sub(r"\s*[(\[][^)\]]*[)\]]\W*$", "", name)


def meant(name: str) -> str | None:
    """The known column that a name is another spelling of."""
    word = folded(name)
    return word if word in KNOWN else ALIASES.get(word)


def is_film(name: str) -> bool:
    """Whether a column of the user's own holds films: `Video URL`, `videoUrl`, `video`."""
    return folded(bare(name)) in FILMS


def option_of(name: str) -> str | None:
    """The option of a model that a column of the user's own seems to be: `aspectRatio` -> `aspect_ratio`."""
    word = folded(bare(name))
    return word if word in OPTION_NAMES else None


def is_another_input(name: str) -> bool:
    """Whether a column looks like one more input: `image_url_2`, `Image 3`, `video2`."""
    return _ANOTHER.fullmatch(folded(bare(name))) is not None


@lru_cache(maxsize=20_000)
def known(name: str) -> bool:
    """Whether a header name is a known column, or nearly one."""
    word = name.strip().lstrip("\ufeff").lower()
    return word in KNOWN or word in RESULT_COLUMNS or near(word) is not None or meant(bare(name)) is not None


@lru_cache(maxsize=20_000)  # rows that are objects ask again for each of their keys
def near(name: str) -> str | None:
    """The known column that `name` is nearly, or None: `optons.duration` -> `options.duration`."""
    word = folded(name)
    head, dot, tail = name.partition(".")
    if dot and tail and difflib.SequenceMatcher(None, head.casefold(), "options").ratio() >= 0.75:
        return f"options.{tail.strip()}"
    if word.startswith(("options_", "option_")):
        return f"options.{word.partition('_')[2]}"
    if found := meant(name):
        return found
    if not 4 <= len(word) <= 30:
        return None
    close = difflib.get_close_matches(word, KNOWN, 1, 0.8)
    return close[0] if close else None
