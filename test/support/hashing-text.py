"""Writes hashing-text.json: texts and what scikit-learn's HashingVectorizer makes of them.

    python3 -m venv v && v/bin/pip install scikit-learn==1.9.1
    v/bin/python test/support/hashing-text.py > test/support/hashing-text.json
"""

import json
import unicodedata

from sklearn.feature_extraction.text import HashingVectorizer

TEXTS = [
    "",
    " ",
    "a",
    "ab",
    "The quick brown fox jumps over the lazy dog. The dog sleeps; it's THE dog!",
    "Ὀδυσσεύς ΟΔΥΣΣΕΥΣ Σ ΑΣ. İstanbul IĞDIR ǅ ß ẞ ﬁ ²³ ½ Ⅷ",
    "Cafe\u0301 caf\u00e9 na\u00efve nai\u0308ve \u1e9b\u0323 \u212b",
    "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "すべての人間は、生れながらにして自由であり、〇一二三 ㊿ 𠀀𠮷野家",
    "जन्म से सभी मनुष्य स्वतंत्र हैं  كل الناس يولدون أحرارًا",
    "👩‍👩‍👧 emoji 🎉🎉 \U0001F1E6\U0001F1F9 𝔘𝔫𝔦 a\u200db",
    "tabs\tand \t both\nlines\r\n\r\nnbsp\u00a0\u00a0x \u2003\u3000y \ufeffbom \x1c\x1dz \x85\x85w _under_score __ 1 22",
    "null\x00byte and \x7f delete",
    "wide " * 200 + "Ünï " * 150,
]

OPTIONS = [
    {"analyzer": "word", "dimension": 32},
    {"analyzer": "word", "dimension": 7, "ngrams": [1, 3], "norm": "none"},
    {"analyzer": "word", "dimension": 64, "ngrams": [2, 2], "norm": "none", "lowercase": False},
    {"analyzer": "char", "dimension": 33, "ngrams": [1, 4], "norm": "l2"},
    {"analyzer": "char", "dimension": 16, "ngrams": [3, 3], "norm": "none", "alternateSign": False},
    {"analyzer": "char_wb", "dimension": 24, "ngrams": [2, 5], "norm": "none"},
    {"analyzer": "char_wb", "dimension": 40, "ngrams": [1, 3], "norm": "l2", "lowercase": False},
]


def vectorizer(options):
    return HashingVectorizer(
        analyzer=options["analyzer"],
        n_features=options["dimension"],
        ngram_range=tuple(options.get("ngrams", [1, 1])),
        norm={"none": None, "l2": "l2"}[options.get("norm", "l2")],
        lowercase=options.get("lowercase", True),
        alternate_sign=options.get("alternateSign", True),
    )


composed = [unicodedata.normalize("NFC", text) for text in TEXTS]
cases = [
    {"options": options, "values": vectorizer(options).transform(composed).toarray().tolist()}
    for options in OPTIONS
]
print('{"texts":' + json.dumps(TEXTS) + ',"cases":[')
print(",\n".join(json.dumps(case, separators=(",", ":")) for case in cases))
print("]}")
