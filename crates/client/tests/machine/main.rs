//! The rules of the client, frame by frame, without a socket.

mod connecting;
mod leaving;
mod publishing;
mod retrying;
mod scene;
mod storm;
mod subscribing;
mod tokens;
