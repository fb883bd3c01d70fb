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
letters               0.27        0.17        0.28        0.23        0.37        0.33        0.33        0.35
rare                  1.37        1.87        1.34        1.38        1.56        1.84        1.85        1.95
long                  0.10        0.14        0.11        0.12        0.04        0.00        0.00        0.00
upper                 0.53        0.45        0.53        0.43        0.68        0.49        0.54        0.71
digits                0.61        0.58        1.09        1.09        1.10        0.47        1.08        1.09
mixed                 0.33        0.47        0.21        0.40        0.25        0.76        0.23        0.22
camel                 0.36        0.28        0.35        0.20        0.46        0.00        0.10        0.45
words                 0.59        0.74        0.58        0.65        0.45        0.52        0.51        0.48
spaces                0.00        0.00        0.00        0.17        0.07        0.00        0.00        0.07
breaks                0.97        0.96        1.01        1.03        0.96        0.00        0.96        0.96
controls              0.12        0.15        0.10        0.92        1.77        0.00        1.21        1.77
marks                 0.66        0.67        0.66        0.63        0.76        0.96        0.96        0.96
latin                 1.59        1.24        1.07        1.00        1.50        0.76        1.00        1.59
greek                 0.91        0.30        0.90        0.30        1.07        0.85        0.32        1.06
cyrillic              0.59        0.30        0.48        0.30        0.38        0.87        0.30        0.87
long_cyrillic         0.31        0.48        0.35        0.48        0.49        0.00        0.48        0.00
semitic               1.02        0.30        0.30        0.38        1.08        0.85        0.41        1.07
long_semitic          0.26        0.75        0.64        0.66        0.06        0.00        0.64        0.20
indic                 1.29        0.38        1.11        0.32        1.15        0.75        0.33        1.30
georgian              2.68        1.97        1.49        0.56        2.55        0.30        0.59        2.70
signs                 2.16        1.79        1.29        2.01        2.57        0.38        2.01        2.57
chinese               1.54        0.97        0.79        0.74        1.27        0.96        0.73        1.54
long_chinese          1.13        1.31        1.16        1.93        2.20        0.00        1.94        1.81
korean                1.07        0.51        0.66        0.50        1.25        1.81        0.53        1.82
long_korean           1.55        1.80        1.20        2.36        1.72        0.00        2.32        1.11
forms                 1.38        1.00        1.63        1.00        1.00        1.00        1.00        1.00
emoji                 2.76        2.16        1.22        1.65        3.73        1.00        1.66        3.73
"""
"""What the features are: docs/estimates.md."""


def _columns(table: str) -> dict[str, Weights]:
    (_, *families), *rows = (line.split() for line in table.strip().splitlines())
    return {family: tuple(float(row[column]) for row in rows) for column, family in enumerate(families, start=1)}


WEIGHTS: Final = _columns(_TABLE)
HIGHEST: Final = WEIGHTS["highest"]
"""Where a model's row names no tokenizer."""
