// A program: wasi:cli/run calls main.

#include <iostream>

int main() {
    std::cout << "Hello from C++!" << std::endl;
}
