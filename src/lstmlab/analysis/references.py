"""The papers that reports name in short, in full."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from lstmlab.report import Section

CITED = {
    "Appleyard et al. 2016": "Appleyard, J., Kočiský, T. & Blunsom, P. (2016). Optimizing performance of recurrent "
    "neural networks on GPUs. arXiv:1604.01946.",
    "Bahdanau et al. 2015": "Bahdanau, D., Cho, K. & Bengio, Y. (2015). Neural machine translation by jointly learning "
    "to align and translate. ICLR.",
    "Beck et al. 2024": "Beck, M. et al. (2024). xLSTM: Extended long short-term memory. NeurIPS.",
    "Breiman et al. 1984": "Breiman, L., Friedman, J., Olshen, R. & Stone, C. (1984). Classification and regression "
    "trees. Wadsworth.",
    "Cho et al. 2014": "Cho, K. et al. (2014). Learning phrase representations using RNN encoder–decoder for "
    "statistical machine translation. EMNLP.",
    "Elliott et al. 2016": "Elliott, D., Frank, S., Sima'an, K. & Specia, L. (2016). Multi30K: Multilingual "
    "English–German image descriptions. Workshop on Vision and Language.",
    "Elman 1990": "Elman, J. (1990). Finding structure in time. Cognitive Science 14, 179–211.",
    "Feng et al. 2024": "Feng, L. et al. (2024). Were RNNs all we needed? arXiv:2410.01201.",
    "Gers & Schmidhuber 2000": "Gers, F. & Schmidhuber, J. (2000). Recurrent nets that time and count. IJCNN.",
    "Gers et al. 2000": "Gers, F., Schmidhuber, J. & Cummins, F. (2000). Learning to forget: Continual prediction with "
    "LSTM. Neural Computation 12, 2451–2471.",
    "Greff et al. 2017": "Greff, K. et al. (2017). LSTM: A search space odyssey. IEEE Transactions on Neural Networks "
    "and Learning Systems 28, 2222–2232.",
    "Guo et al. 2017": "Guo, C., Pleiss, G., Sun, Y. & Weinberger, K. (2017). On calibration of modern neural "
    "networks. ICML.",
    "Hochreiter & Schmidhuber 1997": "Hochreiter, S. & Schmidhuber, J. (1997). Long short-term memory. Neural "
    "Computation 9, 1735–1780.",
    "Kingma & Ba 2015": "Kingma, D. & Ba, J. (2015). Adam: A method for stochastic optimization. ICLR.",
    "Le, Jaitly & Hinton 2015": "Le, Q., Jaitly, N. & Hinton, G. (2015). A simple way to initialize recurrent networks "
    "of rectified linear units. arXiv:1504.00941.",
    "Li & Roth 2002": "Li, X. & Roth, D. (2002). Learning question classifiers. COLING.",
    "Li et al. 2016": "Li, J. et al. (2016). A diversity-promoting objective function for neural conversation models. "
    "NAACL.",
    "Li et al. 2017": "Li, Y. et al. (2017). DailyDialog: A manually labelled multi-turn dialogue dataset. IJCNLP.",
    "Luong et al. 2015": "Luong, M.-T., Pham, H. & Manning, C. (2015). Effective approaches to attention-based neural "
    "machine translation. EMNLP.",
    "Maas et al. 2011": "Maas, A. et al. (2011). Learning word vectors for sentiment analysis. ACL.",
    "McNemar 1947": "McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions "
    "or percentages. Psychometrika 12, 153–157.",
    "Pang & Lee 2005": "Pang, B. & Lee, L. (2005). Seeing stars: Exploiting class relationships for sentiment "
    "categorization with respect to rating scales. ACL.",
    "Pascanu et al. 2013": "Pascanu, R., Mikolov, T. & Bengio, Y. (2013). On the difficulty of training recurrent "
    "neural networks. ICML.",
    "Sutskever et al. 2014": "Sutskever, I., Vinyals, O. & Le, Q. (2014). Sequence to sequence learning with neural "
    "networks. NeurIPS.",
    "Tai et al. 2015": "Tai, K. S., Socher, R. & Manning, C. (2015). Improved semantic representations from "
    "tree-structured long short-term memory networks. ACL.",
    "Tallec & Ollivier 2018": "Tallec, C. & Ollivier, Y. (2018). Can recurrent neural networks warp time? ICLR.",
    "Wang & Manning 2012": "Wang, S. & Manning, C. (2012). Baselines and bigrams: Simple, good sentiment and topic "
    "classification. ACL.",
    "Wilson 1927": "Wilson, E. (1927). Probable inference, the law of succession, and statistical inference. Journal "
    "of the American Statistical Association 22, 209–212.",
    "Yin et al. 2017": "Yin, W., Kann, K., Yu, M. & Schütze, H. (2017). Comparative study of CNN and RNN for natural "
    "language processing. arXiv:1702.01923.",
    "Zhou et al. 2016": "Zhou, G.-B., Wu, J., Zhang, C.-L. & Zhou, Z.-H. (2016). Minimal gated unit for recurrent "
    "neural networks. International Journal of Automation and Computing 13, 226–234.",
}
"""Short form → full. A short form counts with brackets around its year too."""


def references(told: Any) -> Section | None:
    """The papers that a document, or parts of one, name; None where they name none."""
    text = " ".join(_texts(told))
    flat = re.sub(r"\((\d{4})\)", r"\1", " ".join(text.split()))
    found = [full for short, full in CITED.items() if short in flat]
    if not found:
        return None
    return Section("References", "", "\n".join(f"- {one}" for one in found), generated=False)


def _texts(value: Any) -> Iterator[str]:
    """Every text in it; drawings are not read."""
    if isinstance(value, str):
        yield value if not value.startswith("<svg") else ""
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _texts(getattr(value, one.name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
