//! The application state: what every handler and layer can reach.

use std::ops::Deref;
use std::sync::Arc;

use chrono_tz::Tz;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::sync::watch;

use super::edge::Edge;
use super::wire::recent_writes::RecentWrites;
use super::wire::response_cache::{ResponseCache, ResponseCacheLimits};
use super::wire::whole_list::{WholeListLimits, WholeLists};
use crate::accounts::Accounts;
use crate::files::{MediaFiles, MediaStore};
use crate::journal::Journal;
use crate::payments::Payments;
use crate::projector::Projector;
use crate::shop::PaymentPolicy;

/// The application state. Cheap to clone, because each layer and handler of a request clones it.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

#[derive(Clone)]
pub struct AppParts {
    pub(super) journal: Journal,
    pub(super) projector: Projector,
    pub(super) accounts: Accounts,
    pub(super) payments: Payments,
    pub(super) media: MediaFiles,
    /// For reads; its `search_path` names the read tables.
    pub(super) pool: PgPool,
    pub(super) recent_writes: Arc<RecentWrites>,
    pub(super) whole_lists: WholeLists,
    pub(super) response_cache: Arc<ResponseCache>,
    pub(super) edge: Edge,
    pub(super) payment_policy: PaymentPolicy,
    /// Days after which an unused token of a guest's cart expires; 0 means never.
    pub(super) cart_days: u32,
    /// Time zone of the staff's pages.
    pub(super) time_zone: Tz,
    pub(super) metrics: Option<PrometheusHandle>,
    /// Becomes true when the server begins to stop; event streams end then.
    pub(super) stopping: watch::Receiver<bool>,
}

/// The operator's settings for the HTTP side.
#[derive(Clone, Default)]
pub struct AppSettings {
    pub edge: Edge,
    pub payments: Payments,
    pub payment_policy: PaymentPolicy,
    /// Days after which an unused token of a guest's cart expires; 0 means never.
    pub cart_days: u32,
    pub whole_lists: WholeListLimits,
    /// Where pictures are stored; in memory if absent.
    pub media: Option<MediaStore>,
    pub response_cache: ResponseCacheLimits,
    /// Time zone of the staff's pages; UTC by default.
    pub time_zone: Tz,
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl App {
    /// Event streams end when `stopping` becomes true.
    pub fn new(
        journal: Journal,
        projector: Projector,
        accounts: Accounts,
        pool: PgPool,
        settings: AppSettings,
        metrics: Option<PrometheusHandle>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let recent_writes = Arc::default();
        let AppSettings { edge, payment_policy, payments, cart_days, whole_lists, media, response_cache, time_zone } =
            settings;
        let media = MediaFiles::new(media.unwrap_or_else(MediaStore::in_memory), pool.clone());
        Self(Arc::new(AppParts {
            journal,
            projector,
            accounts,
            payments,
            media,
            pool,
            recent_writes,
            whole_lists: WholeLists::new(whole_lists),
            response_cache: Arc::new(ResponseCache::new(response_cache)),
            edge,
            payment_policy,
            cart_days,
            time_zone,
            metrics,
            stopping,
        }))
    }

    /// The same state, whose reads use another pool.
    pub(super) fn reading_from(&self, pool: &PgPool) -> Self {
        let mut parts = (*self.0).clone();
        parts.pool = pool.clone();
        parts.accounts = parts.accounts.reading_from(pool.clone());
        Self(Arc::new(parts))
    }

    /// Returns when the server begins to stop.
    pub(super) async fn stopping(&self) {
        // An error means that the sender is gone: the server is ending anyway.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}
