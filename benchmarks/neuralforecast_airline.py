"""NeuralForecast's LSTM on the airline passengers, as `airline-passengers` has them: the year ahead from the two years
before, tested from every month of the last three years. Run by `benchmarks.forecasting`, in NeuralForecast's Python:

    python neuralforecast_airline.py airline-passengers.csv

Settings are those of the peer's script for ETTh1 (two networks of 128, 500 steps, standard scaling of windows).
"""

import sys
import time

import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM

HORIZON, CONTEXT, VALID, TEST = 12, 24, 24, 36

table = pd.read_csv(sys.argv[1])
frame = pd.DataFrame({"unique_id": "air", "ds": pd.to_datetime(table.iloc[:, 0]), "y": table.iloc[:, 1].astype(float)})
model = LSTM(
    h=HORIZON, input_size=CONTEXT, encoder_hidden_size=128, decoder_hidden_size=128, recurrent=False, max_steps=500,
    batch_size=32, windows_batch_size=128, scaler_type="standard", enable_progress_bar=False, logger=False,
    enable_checkpointing=False,
)  # fmt: skip
start = time.perf_counter()
found = NeuralForecast([model], freq="MS").cross_validation(
    frame, n_windows=None, val_size=VALID, test_size=TEST, step_size=1
)
error = found["LSTM"] - found["y"]
print(f"{time.perf_counter() - start:.1f} s  RMSE {(error**2).mean() ** 0.5:.2f}  MAE {error.abs().mean():.2f}")
