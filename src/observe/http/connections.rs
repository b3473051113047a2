//! Connections to the operators' endpoints: so many at a time, and each for one request. Whoever can reach them must
//! neither use up the memory and the open files that loading needs, nor keep probes from being answered.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Places for connections. Browsers, probes and Prometheus have a few each.
const MOST: usize = 64;

/// Beyond so many, connections have to end: it takes them a moment, and whoever comes next must not wait for that.
const MOST_TO_STAY: usize = 56;

/// Those of one address.
const MOST_OF_A_PEER: usize = 32;

/// The head of a request has to be there by then.
const PATIENCE_FOR_A_HEAD: Duration = Duration::from_secs(10);

/// The whole answer has to be taken by then.
const LONGEST: Duration = Duration::from_secs(60);

/// How long the answer at hand may take on a connection whose place is wanted; and who has asked for nothing for so long is
/// the first to make room.
const PATIENCE_FOR_A_PLACE: Duration = Duration::from_secs(1);

/// How long one has to ask for something even so: it may have been made this moment.
const PATIENCE_FOR_A_QUESTION: Duration = Duration::from_millis(100);

/// Bytes of a request that are held; a browser's cookies fit in.
const BUFFER: usize = 32 * 1024;

/// A moment for whoever holds what accepting lacks, as open files.
const PAUSE: Duration = Duration::from_secs(1);

/// A place, and who has it.
#[derive(Debug)]
struct Place {
    peer: IpAddr,
    since: Instant,
    /// Its request is being answered.
    is_busy: AtomicBool,
    /// Cancelled once another wants the place.
    is_wanted: CancellationToken,
}

/// Answers for ever.
pub(super) async fn serve(listener: &TcpListener, router: &Router) {
    let free = Arc::new(Semaphore::new(MOST));
    let mut places: Vec<Weak<Place>> = Vec::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                debug!(%error, "could not accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        places.retain(|place| place.strong_count() > 0);
        make_room(&places, peer.ip());
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        let place = Arc::new(Place {
            peer: peer.ip(),
            since: Instant::now(),
            is_busy: AtomicBool::new(false),
            is_wanted: CancellationToken::new(),
        });
        places.push(Arc::downgrade(&place));
        let router = router.clone().layer(Extension(ConnectInfo(peer)));
        tokio::spawn(async move {
            answer(stream, router, &place).await;
            drop(permit);
        });
    }
}

/// Has a connection end where there is no place for one more: the oldest that only waits, or else the oldest that is answered,
/// or else the oldest. Of an address that has many, it is one of its own.
fn make_room(places: &[Weak<Place>], peer: IpAddr) {
    let mut staying: Vec<Arc<Place>> = places.iter().filter_map(Weak::upgrade).collect();
    staying.retain(|place| !place.is_wanted.is_cancelled());
    if staying.iter().filter(|place| place.peer == peer).count() >= MOST_OF_A_PEER {
        staying.retain(|place| place.peer == peer);
    } else if staying.len() < MOST_TO_STAY {
        return;
    }
    let is_busy = |place: &Arc<Place>| place.is_busy.load(Ordering::Relaxed);
    let waits = |place: &Arc<Place>| !is_busy(place) && place.since.elapsed() > PATIENCE_FOR_A_PLACE;
    let waiting = staying.iter().find(|place| waits(place));
    let oldest = waiting.or_else(|| staying.iter().find(|place| is_busy(place)));
    if let Some(place) = oldest.or(staying.first()) {
        place.is_wanted.cancel();
    }
}

async fn answer(stream: TcpStream, router: Router, place: &Place) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        place.is_busy.store(true, Ordering::Relaxed);
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE_FOR_A_HEAD)
        .max_buf_size(BUFFER)
        // Who asks again waits for a place again.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let has_to_end = async {
        place.is_wanted.cancelled().await;
        tokio::time::sleep(PATIENCE_FOR_A_QUESTION).await;
        if place.is_busy.load(Ordering::Relaxed) {
            tokio::time::sleep(PATIENCE_FOR_A_PLACE).await;
        }
    };
    tokio::select! {
        ended = timeout(LONGEST, connection) => if let Ok(Err(error)) = ended {
            debug!(%error, "a connection ended");
        },
        () = has_to_end => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of these addresses, busy or not, taken before now or right now.
    fn places(peers: &[(IpAddr, bool, bool)]) -> Vec<Arc<Place>> {
        let before = Instant::now().checked_sub(PATIENCE_FOR_A_PLACE * 2).unwrap();
        let place = |&(peer, is_busy, is_new): &(IpAddr, bool, bool)| {
            Arc::new(Place {
                peer,
                since: if is_new { Instant::now() } else { before },
                is_busy: AtomicBool::new(is_busy),
                is_wanted: CancellationToken::new(),
            })
        };
        peers.iter().map(place).collect()
    }

    /// The places whose connections are told to end.
    fn ended(places: &[Arc<Place>], peer: IpAddr) -> Vec<usize> {
        let weak: Vec<Weak<Place>> = places.iter().map(Arc::downgrade).collect();
        make_room(&weak, peer);
        let ended = places.iter().enumerate();
        ended
            .filter(|(_, place)| place.is_wanted.is_cancelled())
            .map(|(at, _)| at)
            .collect()
    }

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn nobody_has_to_end_while_there_is_room() {
        let few = places(&[(ONE, false, false); MOST_OF_A_PEER - 1]);
        assert!(ended(&few, ONE).is_empty());
        assert!(ended(&few, OTHER).is_empty());
    }

    #[test]
    fn a_peer_with_many_makes_room_for_itself() {
        let mut peers = vec![(OTHER, false, false)];
        peers.extend([(ONE, true, false); MOST_OF_A_PEER]);
        let many = places(&peers);
        assert_eq!(ended(&many, ONE), [1]);
        assert_eq!(ended(&many, OTHER), [1], "there is room for others");
    }

    #[test]
    fn who_only_waits_makes_room_then_who_is_answered() {
        let peer = |at: usize| IpAddr::from([10, 1, 0, u8::try_from(at).unwrap()]);
        let peers: Vec<_> = (0..MOST_TO_STAY).map(|at| (peer(at), at > 5, at < 3)).collect();
        let full = places(&peers);
        assert_eq!(ended(&full, OTHER), [3]);
        let new: Vec<_> = peers
            .iter()
            .map(|(peer, is_busy, _)| (*peer, *is_busy, true))
            .collect();
        assert_eq!(ended(&places(&new), OTHER), [6]);
        let silent: Vec<_> = peers.iter().map(|(peer, ..)| (*peer, false, true)).collect();
        assert_eq!(ended(&places(&silent), OTHER), [0]);
    }
}
