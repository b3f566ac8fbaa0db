//! The connections of the notification endpoint. Anyone can open one, so an idle connection must not
//! keep the provider out: the number of connections is limited, also for each address, and when the
//! limit is reached, the connection that has been idle longest is closed.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// How long a connection may take for its handshake and the head of its request.
pub(super) const HEAD: Duration = Duration::from_secs(3);
/// The most connections at once; one provider is expected.
const CONNECTIONS: usize = 64;
/// The most connections from one address. A provider sends one or two notifications for a flow, but
/// behind a proxy all callers share an address.
const AN_ADDRESS: usize = 8;

/// All connections, in the order in which they were opened.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Mutex<Vec<Arc<Seat>>>>);

struct Seat {
    network: Network,
    /// Whether the head of its request has arrived.
    is_heard: AtomicBool,
    /// Whether its request has the token of a flow, so that it is not closed for another one.
    is_known: AtomicBool,
    leave: Notify,
}

/// The unit by which connections are counted: an IPv4 address, or the /64 network from which an IPv6
/// host can choose its address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                Self::V6(address.octets().first_chunk().copied().unwrap_or_default())
            }
        }
    }
}

impl Places {
    /// A place for a new connection. `None` when every place it could take is held by a caller who
    /// is known.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let network = Network::from(address);
        let mut seats = self.lock();
        let gives_way = |seats: &Vec<Arc<Seat>>, of: Option<Network>| {
            seats.iter().position(|seat| {
                !seat.is_known.load(Ordering::Relaxed)
                    && of.is_none_or(|network| seat.network == network)
            })
        };
        let of_it = seats.iter().filter(|seat| seat.network == network).count();
        let full = match (of_it >= AN_ADDRESS, seats.len() >= CONNECTIONS) {
            (true, _) => Some(Some(network)),
            (false, true) => Some(None),
            (false, false) => None,
        };
        if let Some(of) = full {
            let at = gives_way(&seats, of)?;
            seats.remove(at).leave.notify_one();
        }
        let seat = Arc::new(Seat {
            network,
            is_heard: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            leave: Notify::new(),
        });
        seats.push(Arc::clone(&seat));
        Some(Place { places: self.clone(), seat })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, released on drop.
pub(super) struct Place {
    places: Places,
    seat: Arc<Seat>,
}

impl Place {
    /// The head of the request has arrived.
    pub(super) fn is_heard(&self) {
        self.seat.is_heard.store(true, Ordering::Relaxed);
    }

    /// The request has the token of a flow.
    pub(super) fn is_known(&self) {
        self.seat.is_known.store(true, Ordering::Relaxed);
    }

    /// Returns when the connection has to end: it gave way to another, or has been silent for too
    /// long.
    pub(super) async fn left(&self) {
        let silent = async {
            tokio::time::sleep(HEAD).await;
            if self.seat.is_heard.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.seat.leave.notified() => {}
            () = silent => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().retain(|seat| !Arc::ptr_eq(seat, &self.seat));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn v4(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn gave_way(place: &Place) -> bool {
        !place.places.lock().iter().any(|seat| Arc::ptr_eq(seat, &place.seat))
    }

    #[test]
    fn an_address_has_few_connections_and_its_longest_silent_one_is_evicted() {
        let places = Places::default();
        let mut held: Vec<Place> = (0..AN_ADDRESS).map(|_| places.take(v4(1)).unwrap()).collect();
        held[0].is_known();
        held.push(places.take(v4(1)).unwrap());
        assert!(!gave_way(&held[0]) && gave_way(&held[1]) && !gave_way(&held[2]));
        let other = places.take(v4(2)).unwrap();
        assert!(!gave_way(&other) && !gave_way(&held[2]));
    }

    #[test]
    fn many_addresses_do_not_block_a_new_one() {
        let places = Places::default();
        let held: Vec<Place> = (0..=u8::MAX).filter_map(|last| places.take(v4(last))).collect();
        assert_eq!(held.len(), 256);
        assert_eq!(held.iter().filter(|place| !gave_way(place)).count(), CONNECTIONS);
        assert!(
            held[..256 - CONNECTIONS].iter().all(gave_way),
            "the longest silent gave way first"
        );
        drop(held);
        assert!(places.lock().is_empty());
    }

    #[test]
    fn authenticated_callers_are_never_evicted() {
        let places = Places::default();
        let held: Vec<Place> = (0..AN_ADDRESS).map(|_| places.take(v4(1)).unwrap()).collect();
        held.iter().for_each(Place::is_known);
        assert!(places.take(v4(1)).is_none());
        assert!(held.iter().all(|place| !gave_way(place)));
    }

    #[test]
    fn all_ipv6_addresses_of_one_network_count_as_one_host() {
        let address = |network: u16, host: u16| {
            Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host).into()
        };
        let places = Places::default();
        let held: Vec<Place> =
            (0..=20).map(|host| places.take(address(1, host)).unwrap()).collect();
        assert_eq!(held.iter().filter(|place| !gave_way(place)).count(), AN_ADDRESS);
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
        assert!(Network::from(IpAddr::from(mapped)) == Network::from(v4(1)));
        assert!(!gave_way(&places.take(address(2, 1)).unwrap()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_has_three_seconds_and_one_that_sends_has_longer() {
        let places = Places::default();
        let (silent, heard) = (places.take(v4(1)).unwrap(), places.take(v4(2)).unwrap());
        heard.is_heard();
        let began = tokio::time::Instant::now();
        silent.left().await;
        assert_eq!(began.elapsed(), HEAD);
        assert!(tokio::time::timeout(HEAD * 10, heard.left()).await.is_err());
    }
}
