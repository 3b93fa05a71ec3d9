// A proxy on the library goproxy, as most tools of this kind are made: it bumps every CONNECT and streams bodies.
//
//	goproxy PORT CA CA_KEY UPSTREAM_CA
//
// Every name is dialled at 127.0.0.1. Leaves are kept in memory, upstream connections are pooled, nothing is logged.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/elazarl/goproxy"
)

// leaves remembers the TLS configuration of each host: this library signs a new leaf for every CONNECT.
type leaves struct {
	mutex sync.Mutex
	known map[string]*tls.Config
	sign  func(host string, ctx *goproxy.ProxyCtx) (*tls.Config, error)
}

func (kept *leaves) config(host string, ctx *goproxy.ProxyCtx) (*tls.Config, error) {
	kept.mutex.Lock()
	defer kept.mutex.Unlock()
	if found, ok := kept.known[host]; ok {
		return found, nil
	}
	made, err := kept.sign(host, ctx)
	if err == nil {
		kept.known[host] = made
	}
	return made, err
}

func main() {
	authority, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	if authority.Leaf, err = x509.ParseCertificate(authority.Certificate[0]); err != nil {
		log.Fatal(err)
	}
	goproxy.GoproxyCa = authority
	roots := x509.NewCertPool()
	text, err := os.ReadFile(os.Args[4])
	if err != nil || !roots.AppendCertsFromPEM(text) {
		log.Fatal(os.Args[4], ": no certificates")
	}
	proxy := goproxy.NewProxyHttpServer()
	kept := &leaves{known: map[string]*tls.Config{}, sign: goproxy.TLSConfigFromCA(&authority)}
	proxy.Tr = &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		MaxIdleConnsPerHost: 1000,
		DisableCompression:  true,
		Dial: func(network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return net.Dial(network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	bump := &goproxy.ConnectAction{Action: goproxy.ConnectMitm, TLSConfig: kept.config}
	proxy.OnRequest().HandleConnectFunc(func(host string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
		return bump, host
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], proxy))
}
