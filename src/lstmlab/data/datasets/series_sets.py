"""The named series: prices, weather, sensors, transformers, and the small classics of the textbooks."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from lstmlab.data.datasets.entry import Frames, NamedSet, SeriesHints
from lstmlab.data.datasets.files import read_table
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files

ETT_ROWS = 14_400
"""Hours of 20 months of 30 days: 12 to train on, 4 to validate, 4 to test (Zhou et al. 2021)."""


def read_one(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """A single table as it stands, all cells text."""
    (path,) = paths.values()
    return {"train": read_table(path)}, ()


def read_ett(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """The first 20 months, which is what everybody scores on."""
    (path,) = paths.values()
    frame = read_table(path)
    kept = f"The first {ETT_ROWS:,} of {len(frame):,} hours: 12, 4 and 4 months of 30 days."
    return {"train": frame.head(ETT_ROWS)}, (kept,)


def read_google(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """The tutorial's two files, one after the other."""
    tables = [read_table(paths[f"Google_Stock_Price_{part}.csv"]) for part in ("Train", "Test")]
    return {"train": pl.concat(tables)}, (
        "The two files of the tutorial one after the other: 2012 to 2016, then January 2017, which is the test part.",
        "The column Close before 27 March 2014 is not adjusted for the split of shares, Open is.",
    )


_VEGA = "https://raw.githubusercontent.com/vega/vega-datasets/main/data"
_BROWNLEE = "https://raw.githubusercontent.com/jbrownlee/Datasets/master"
_GOOGLE = "https://raw.githubusercontent.com/akrai37/Deep_Learning-RNN/master"
_PRICES = "unclear: prices from Yahoo and Google Finance, collected by others"
_CLASSIC = "unclear: Time Series Data Library, reused everywhere"


def _file(folder: str, name: str, address: str, checksum: str, size: int, licence: str) -> Files:
    return Files(folder, ((Remote(name, f"{address}/{name}", sha256=checksum, size=size),),), licence=licence)


def _classic(name: str, about: str, file: str, checksum: str, size: int, hints: SeriesHints) -> NamedSet:
    files = _file("classic-series", file, _BROWNLEE, checksum, size, _CLASSIC)
    citation = "Hyndman, Time Series Data Library"
    return NamedSet(
        name, about, "forecasting", files, read_one, "https://github.com/jbrownlee/Datasets", citation, ("train",),
        series=hints,
    )  # fmt: skip


SERIES = {
    entry.name: entry
    for entry in (
        NamedSet(
            "ett-h1",
            "Oil temperature and six loads of an electricity transformer, every hour for 20 months.",
            "forecasting",
            _file(
                "ett",
                "ETTh1.csv",
                "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small",
                "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
                2_589_657,
                "CC BY-ND 4.0",
            ),
            read_ett,
            "https://github.com/zhouhaoyi/ETDataset",
            "Zhou et al. 2021, Informer (AAAI)",
            ("train", "valid", "test"),
            series=SeriesHints(
                ("date",), ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"), valid_rows=2_880, test_rows=2_880
            ),
        ),
        NamedSet(
            "beijing-pm25",
            "Fine dust over Beijing every hour of 2010 to 2014, with the weather.",
            "forecasting",
            _file(
                "beijing-pm25",
                "pollution.csv",
                _BROWNLEE,
                "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2",
                2_010_492,
                "CC BY 4.0 (UCI data set 381)",
            ),
            read_one,
            "https://archive.ics.uci.edu/dataset/381/beijing+pm2+5+data",
            "Liang et al. 2015, Assessing Beijing's PM2.5 pollution (Proc. R. Soc. A)",
            ("train",),
            series=SeriesHints(
                ("year", "month", "day", "hour"),
                ("pm2.5",),
                ("DEWP", "TEMP", "PRES", "Iws", "Is", "Ir"),
                missing="interpolate",
            ),
        ),
        NamedSet(
            "seattle-weather",
            "The weather of Seattle on every day of 2012 to 2015.",
            "forecasting",
            _file(
                "seattle-weather",
                "seattle-weather.csv",
                _VEGA,
                "0845078a290b48e3149ab8639966824110a251db4e06fc144c06ebb534af23be",
                48_219,
                "public domain (NOAA)",
            ),
            read_one,
            "https://github.com/vega/vega-datasets",
            "NOAA, daily weather of Seattle",
            ("train",),
            series=SeriesHints(("date",), ("temp_max",), ("precipitation", "temp_min", "wind"), season=365),
        ),
        NamedSet(
            "nab-sensor",
            "The temperature of a machine every five minutes for eleven weeks, up to its failure.",
            "forecasting",
            _file(
                "nab-sensor",
                "machine_temperature_system_failure.csv",
                "https://raw.githubusercontent.com/numenta/NAB/master/data/realKnownCause",
                "92bf5b87fc7f9bba8ca0b7ec63ccaac8cb4a1371a258e8c29a10ae9c018d82a4",
                732_223,
                "MIT (repository)",
            ),
            read_one,
            "https://github.com/numenta/NAB",
            "Lavin & Ahmad 2015, Evaluating Real-time Anomaly Detection Algorithms (ICMLA)",
            ("train",),
            # Its clock was set back once, by an hour.
            series=SeriesHints(("timestamp",), ("value",), repeated="mean", sort=True),
        ),
        NamedSet(
            "stocks",
            "The price of a Google share on every trading day of 2012 to 2016, and of January 2017.",
            "forecasting",
            Files(
                "stocks",
                (
                    (
                        Remote(
                            "Google_Stock_Price_Train.csv",
                            f"{_GOOGLE}/Google_Stock_Price_Train.csv",
                            sha256="dee298aab581f96206ed0a2df65fa900adbea2d38f9362c7b90beb3a8b683707",
                            size=63_491,
                        ),
                        Remote(
                            "Google_Stock_Price_Test.csv",
                            f"{_GOOGLE}/Google_Stock_Price_Test.csv",
                            sha256="2eb7b5acd8aa4872f93fb091925dfc073cca8e2e0422d93f0518e7cec99fbf3f",
                            size=1_032,
                        ),
                    ),
                ),
                licence=_PRICES,
            ),
            read_google,
            "https://github.com/akrai37/Deep_Learning-RNN",
            "Google Finance, as used in a well-known tutorial",
            ("train", "test"),
            series=SeriesHints(("Date",), ("Open",), test_rows=20),
        ),
        NamedSet(
            "sp500",
            "The S&P 500 index on every trading day from 2000 to April 2020.",
            "forecasting",
            _file(
                "stocks",
                "sp500-2000.csv",
                _VEGA,
                "9409e9342d0657c747324e4cfabce8a8c7f663bc485b95a3378f36b0a160f8c8",
                415_968,
                _PRICES,
            ),
            read_one,
            "https://github.com/vega/vega-datasets",
            "Yahoo Finance",
            ("train",),
            series=SeriesHints(("date",), ("close",), ("volume",)),
        ),
        NamedSet(
            "stocks-monthly",
            "The monthly prices of five technology shares, 2000 to 2010.",
            "forecasting",
            _file(
                "stocks",
                "stocks.csv",
                _VEGA,
                "f9953ac6693e587476b4ebf2f0b00d9bb95371ca8c39da4cc6155077b3e417cd",
                12_245,
                _PRICES,
            ),
            read_one,
            "https://github.com/vega/vega-datasets",
            "Yahoo Finance",
            ("train",),
            series=SeriesHints(("date",), ("price",), of="symbol"),
        ),
        _classic(
            "airline-passengers",
            "Thousands of airline passengers in each month of 1949 to 1960.",
            "airline-passengers.csv",
            "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
            2_180,
            SeriesHints(("Month",), ("Passengers",)),
        ),
        _classic(
            "daily-min-temperatures",
            "The lowest temperature of each day in Melbourne, 1981 to 1990.",
            "daily-min-temperatures.csv",
            "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
            67_921,
            SeriesHints(("Date",), ("Temp",), season=365, missing="interpolate"),
        ),
        _classic(
            "daily-total-female-births",
            "Girls born in California on each day of 1959.",
            "daily-total-female-births.csv",
            "7a0c1bdb32d68f7fa359e561a4f7e1fe8fb2fc26a1ea624a434a97a63735dd72",
            6_220,
            SeriesHints(("Date",), ("Births",)),
        ),
        _classic(
            "sunspots",
            "The mean number of sunspots in each month of 1749 to 1983.",
            "monthly-sunspots.csv",
            "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3",
            45_039,
            SeriesHints(("Month",), ("Sunspots",), season=132),
        ),
        _classic(
            "shampoo",
            "Sales of shampoo in each month of three years.",
            "shampoo.csv",
            "f709eaa344b2d07039a49e2193cbff5e56206354f3a8203c0e02471beb39a451",
            519,
            SeriesHints(("Month",), ("Sales",)),
        ),
    )
}
