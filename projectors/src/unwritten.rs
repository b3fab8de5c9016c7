//! Rebuilds without a log to write them to: for rigs, benches and tests, which keep views and have no executor.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use vaultstream_event_schemas::Family;

use crate::lane::Retried;
use crate::projector::{Source, SwitchGenerations};
use crate::view_name::ViewName;

/// Refuses every rebuild: nothing is rebuilt here.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRebuilds;

const REFUSED: &str = "nothing is rebuilt here";

#[async_trait]
impl SwitchGenerations for NoRebuilds {
    async fn start(&self, _: &Family, _: ViewName, _: &str) -> Result<u32, Source> {
        Err(REFUSED.into())
    }
    async fn switch(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Err(REFUSED.into())
    }
    async fn retried(&self, _: &Family, _: ViewName, _: u32, _: Retried) -> Result<(), Source> {
        Ok(())
    }
    async fn abandon(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Err(REFUSED.into())
    }
}

/// Numbers generations from 2 on, all views together, and writes nothing down.
#[derive(Debug, Default)]
pub struct OnlyNumbers(AtomicU32);

#[async_trait]
impl SwitchGenerations for OnlyNumbers {
    async fn start(&self, _: &Family, _: ViewName, _: &str) -> Result<u32, Source> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 2)
    }
    async fn switch(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Ok(())
    }
    async fn retried(&self, _: &Family, _: ViewName, _: u32, _: Retried) -> Result<(), Source> {
        Ok(())
    }
    async fn abandon(&self, _: &Family, _: ViewName, _: u32, _: &str) -> Result<(), Source> {
        Ok(())
    }
}
