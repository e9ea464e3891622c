"""What is to be learned."""

from lstmlab.tasks.classification import TextClassification
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.tasks.pairs import SentencePairs
from lstmlab.tasks.seq2seq import Dialogue, Translation
from lstmlab.tasks.tagging import Tagging
from lstmlab.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (TextClassification, SentencePairs, Tagging, LanguageModelling, Translation, Dialogue, Forecasting)
}
