//! The figures of each size side by side.

use std::io::Write;

use anyhow::{Result, ensure};

use crate::figures::{grouped, mebibytes, verdict};

/// At the largest size compared with the smallest.
const MOST_GROWTH: f64 = 1.3;

/// In mebibytes.
const MOST_MEMORY: f64 = 48.0;

#[derive(Debug, Clone, Copy)]
struct Figure {
    name: &'static str,
    value: f64,
    bound: Bound,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    None,
    Growth,
    Memory,
}

/// Of one size.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, name: &'static str, value: f64, bound: Bound) {
        self.0.push(Figure { name, value, bound });
    }

    pub(super) fn note(&mut self, name: &'static str, value: f64) {
        self.add(name, value, Bound::None);
    }

    /// May grow by [`MOST_GROWTH`].
    pub(super) fn bound(&mut self, name: &'static str, value: f64) {
        self.add(name, value, Bound::Growth);
    }

    #[expect(clippy::cast_precision_loss, reason = "it is rounded for people anyway")]
    pub(super) fn of_each(&mut self, name: &'static str, bytes: u64, interactions: usize) {
        self.bound(name, bytes as f64 / interactions as f64);
    }

    pub(super) fn memory(&mut self, bytes: u64) {
        self.add("peak memory so far, MiB", mebibytes(bytes), Bound::Memory);
    }
}

/// Of all sizes.
#[derive(Debug, Default)]
pub(super) struct GrowthTable(Vec<(usize, Figures)>);

impl GrowthTable {
    /// Says the figures, too: the next size takes long.
    pub(super) fn add(&mut self, interactions: usize, figures: Figures) -> Result<()> {
        let mut out = std::io::stdout();
        writeln!(out, "\nAt {} interactions:", grouped(interactions))?;
        for figure in &figures.0 {
            writeln!(out, "  {:<36} {:>12}", figure.name, rounded(figure.value))?;
        }
        self.0.push((interactions, figures));
        Ok(())
    }

    pub(super) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout();
        let sizes = self.0.iter().map(|(size, _)| format!(" {:>12}", grouped(*size)));
        writeln!(
            out,
            "\n{:<36}{}    ratio",
            "interactions",
            sizes.collect::<String>()
        )?;
        let (Some((_, first)), Some((_, last))) = (self.0.first(), self.0.last()) else {
            return Ok(());
        };
        for (place, (first, last)) in first.0.iter().zip(&last.0).enumerate() {
            ensure!(first.name == last.name, "figures in another order");
            let values = self.0.iter().filter_map(|(_, figures)| figures.0.get(place));
            let values = values.map(|figure| format!(" {:>12}", rounded(figure.value)));
            let ratio = last.value / first.value;
            let is_met = match last.bound {
                Bound::None => "",
                Bound::Growth => verdict(Some(ratio <= MOST_GROWTH)),
                Bound::Memory => verdict(Some(last.value <= MOST_MEMORY)),
            };
            writeln!(
                out,
                "{:<36}{} {ratio:>8.2} {is_met}",
                last.name,
                values.collect::<String>()
            )?;
        }
        Ok(())
    }
}

/// To three or four digits.
fn rounded(value: f64) -> String {
    match value {
        10.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
