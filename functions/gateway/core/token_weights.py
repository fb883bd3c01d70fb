"""Tokens for each byte or character of a class, by family of vocabularies: data for `core/estimates.py`.

The weights were found by linear programming over `benchmarks/text_samples.py`: the least that are nowhere below 0.955
of the true count in a sample of 50 tokens or more. XLM-RoBERTa's, whose vocabulary was not at hand, are Gemma's where
those are higher than WordPiece's in ASCII, and WordPiece's elsewhere in ASCII: both cut the same texts finer than a
vocabulary of 250,000 pieces does. `highest` holds for all of them at once.
"""

from typing import Final, Literal

Tokenizer = Literal["cl100k_base", "o200k_base", "qwen", "gemma", "llama", "wordpiece", "xlm_roberta"]
"""A family of vocabularies: OpenAI's two; Qwen's; Gemma's and Gemini's; Llama 2's, whose like Mistral's older models
have; BERT's; XLM-RoBERTa's, which multilingual E5 and BGE-M3 have too.
"""

Weights = tuple[float, ...]

_TABLE: Final = """
feature        cl100k_base  o200k_base        qwen       gemma       llama   wordpiece xlm_roberta     highest
letters               0.29        0.22        0.29        0.24        0.35        0.34        0.34        0.34
hard                  0.19        0.25        0.19        0.24        0.21        0.18        0.18        0.22
rare                  1.09        1.37        1.09        1.35        1.40        1.43        1.42        1.54
long                  0.18        0.26        0.18        0.20        0.16        0.00        0.09        0.18
upper                 0.49        0.33        0.49        0.54        0.63        0.55        0.51        0.57
digits                0.67        0.61        1.12        1.07        1.09        0.47        1.08        1.08
mixed                 0.56        0.82        0.20        0.30        0.17        0.74        0.14        0.21
words                 0.57        0.68        0.57        0.64        0.48        0.50        0.50        0.50
joints                0.02        0.00        0.01        0.77        0.56        0.37        0.44        0.34
spaces                0.03        0.02        0.03        0.13        0.09        0.00        0.09        0.08
breaks                0.95        0.96        0.95        0.19        0.96        0.00        0.53        0.96
tabs                  0.07        0.09        0.07        1.96        1.68        0.00        1.57        1.69
controls              0.96        0.96        0.96        0.96        0.96        0.30        0.96        0.96
marks                 0.82        0.86        0.78        0.66        0.76        0.96        0.96        0.96
quotes                0.32        0.30        0.30        0.30        1.27        0.70        0.30        1.27
latin                 1.59        1.28        0.98        1.02        1.27        0.47        1.02        1.59
greek                 0.92        0.30        0.91        0.31        1.06        0.85        0.33        1.05
long_greek            0.24        0.58        0.06        0.55        0.00        0.00        0.53        0.09
cyrillic              0.59        0.30        0.48        0.30        0.37        0.87        0.30        0.87
long_cyrillic         0.75        0.69        0.52        0.68        0.66        0.00        0.68        0.44
semitic               1.03        0.30        0.32        0.39        1.08        0.86        0.42        1.07
long_semitic          0.62        0.72        0.95        0.64        0.06        0.00        0.61        0.58
indic                 1.29        0.38        1.11        0.33        1.15        0.75        0.33        1.30
georgian              2.68        1.99        1.49        0.56        2.54        0.30        0.59        2.69
signs                 2.56        2.56        2.02        2.59        2.84        0.30        2.59        2.84
chinese               1.54        0.97        0.79        0.74        1.26        0.96        0.73        1.54
long_chinese          1.11        1.33        1.17        1.96        2.25        0.00        1.98        1.85
korean                1.04        0.52        0.66        0.50        1.24        1.81        0.54        1.81
long_korean           1.60        1.81        1.21        2.38        1.73        0.00        2.34        1.11
forms                 2.86        2.64        2.86        2.76        2.87        1.00        2.76        2.87
emoji                 3.37        3.61        2.86        3.82        3.83        1.00        3.82        3.83
"""
"""What the features are: docs/estimates.md."""


def _columns(table: str) -> dict[str, Weights]:
    (_, *families), *rows = (line.split() for line in table.strip().splitlines())
    return {family: tuple(float(row[column]) for row in rows) for column, family in enumerate(families, start=1)}


WEIGHTS: Final = _columns(_TABLE)
HIGHEST: Final = WEIGHTS["highest"]
"""Where a model's row names no tokenizer."""
