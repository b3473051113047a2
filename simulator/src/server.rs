//! A running simulator: its port, its world, its end.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    routing::{any, get, post},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    arrivals,
    connection::{Line, Listening},
    control, endpoint,
    options::Options,
    world::World,
};

/// How long [`Simulator::stop`] waits for requests in the middle of their answer.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// The world, shared between the requests and the owner. Never locked over an await.
pub(crate) type Shared = Arc<Mutex<World>>;

/// Locks the world; a test that panicked with the lock in hand does not spoil it for the rest.
pub(crate) fn lock(shared: &Shared) -> MutexGuard<'_, World> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running simulator. Dropping it ends it, connections included.
#[derive(Debug)]
pub struct Simulator {
    shared: Shared,
    address: SocketAddr,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Listens on `options.bind` with an empty world.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(options: Options) -> io::Result<Self> {
        let bind = options.bind;
        Self::start_with(bind, Arc::new(Mutex::new(World::new(options)))).await
    }

    /// Listens with a world that exists: the comeback of a server that was down, on its old address and with its data.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start_with(bind: SocketAddr, world: Arc<Mutex<World>>) -> io::Result<Self> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let listening = Listening {
            listener,
            stop: stop.clone(),
        };
        let service = router(Arc::clone(&world)).into_make_service_with_connect_info::<Line>();
        let serve = axum::serve(listening, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move {
            if let Err(err) = serve.await {
                tracing::error!(error = %err, "simulator ended");
            }
        });
        Ok(Self {
            shared: world,
            address,
            stop,
            serving: Some(serving),
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The state. Requests wait while the guard lives, so it must not be held over an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.shared)
    }

    /// The state, to be kept beyond the end of this server; see [`Self::start_with`].
    #[must_use]
    pub fn shared_world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.shared)
    }

    /// From now on, sessions keep starting at about this rate, and ended ones get late changes now and then.
    pub fn keep_arriving(&self, per_minute: f64) {
        tokio::spawn(arrivals::run(
            Arc::clone(&self.shared),
            per_minute,
            self.stop.clone(),
        ));
    }

    /// Stops listening and closes all connections, also those in the middle of an answer.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            let abort = serving.abort_handle();
            if tokio::time::timeout(STOP_WAIT, serving).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route(endpoint::ROUTE, any(endpoint::interaction_details))
        .route("/healthz", get(|| async { "ok" }))
        .route("/_simulator/stats", get(control::stats))
        .route("/_simulator/interactions", post(control::add_interactions))
        .route("/_simulator/mutate", post(control::mutate))
        .with_state(shared)
}
